(() => {
  const rows = [...document.querySelectorAll("li, tbody tr")];
  const status = document.querySelector("[role=status]"), whole = status.textContent;
  const fold = text => text.normalize().toLowerCase();
  const field = Object.assign(document.createElement("input"), { type: "search", placeholder: "Filter names" });
  field.setAttribute("aria-label", "Filter names");
  let names;
  field.oninput = () => {
    names ??= rows.map(row => fold(row.querySelector("a").textContent));
    const part = fold(field.value), found = names.filter((name, i) => !(rows[i].hidden = !name.includes(part)));
    status.textContent = part ? `${found.length} of ${rows.length} names` : whole;
  };
  field.onkeydown = event => {
    if (event.key === "Enter") rows.find(row => !row.hidden)?.querySelector("a").focus();
    if (event.key === "Escape") { field.value = ""; field.oninput(); }
  };
  document.onkeydown = event => {
    if (event.key === "/" && event.target !== field && !event.ctrlKey && !event.altKey && !event.metaKey) { event.preventDefault(); field.focus(); }
  };
  document.querySelector(".bar").append(field);
})();
