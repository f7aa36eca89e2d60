// The map is shown again as soon as it is known how sure advice would be.
const EVERY_MS = 2000;
async function look() {
  const answer = await fetch("/api/evidence/gaps");
  if (answer.ok && (await answer.json()).complete) location.reload();
  else setTimeout(look, EVERY_MS);
}
setTimeout(look, EVERY_MS);
