// Shows a comparison as soon as it is made.
const { made } = document.querySelector("[data-made]").dataset;
async function look() {
  const answer = await fetch(made).catch(() => null);
  if (answer === null || answer.status === 202) setTimeout(look, 3000);
  else location.reload();
}
setTimeout(look, 3000);
