// Passes numbers to the model_flow component, which has another shadow tree. They are sent without the
// code of that component.
export default function ({ data }) {
  document.microgptModel = { ...document.microgptModel, [data.what]: data };
  document.dispatchEvent(new Event("microgpt-model"));
}
