import * as passerby from "/passerby.js";

const code = (run) => {
  try {
    return String(run());
  } catch (error) {
    return error.code ?? String(error);
  }
};
const native = fetch;
postMessage({
  code: code(() => passerby.init({ apiDomain: location.origin })),
  exists: await passerby.doesSessionExist().catch(({ code }) => code),
  disposed: code(() => passerby.dispose()),
  isUntouched: fetch === native,
});
