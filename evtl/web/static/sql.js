// Ctrl+Enter (or Cmd+Enter) runs the question. Tab leaves the editor, as everywhere else.
const query = document.querySelector("#query");
query.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    document.querySelector("#asking").requestSubmit();
  }
});
