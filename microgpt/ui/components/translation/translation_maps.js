// Passes the maps to the translation component, which has another shadow tree. They are sent only
// when they change, not with every choice of the visitor.
export default function ({ data }) {
  document.microgptTranslationMaps = data;
  document.dispatchEvent(new Event("microgpt-translation-maps"));
}
