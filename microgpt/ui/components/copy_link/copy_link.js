// A button that copies the link to the page.
export default function ({ parentElement }) {
  if (parentElement.querySelector("button")) return;
  parentElement.append(
    linkButton("Copy link to this tab and its settings", () => location.search),
  );
}
