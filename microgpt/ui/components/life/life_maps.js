// Passes the maps of a layer to the life component, which has another shadow tree. They are sent
// only when they change, not with every choice of the visitor.
export default function ({ data }) {
  document.microgptLifeMaps = data;
  document.dispatchEvent(new Event("microgpt-life-maps"));
}
