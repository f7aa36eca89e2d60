// Where there is room beside the list, every facet is open.
if (matchMedia("(min-width: 60rem)").matches) {
  for (const facet of document.querySelectorAll("section > details.facet")) facet.open = true;
}
