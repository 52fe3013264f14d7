// The functions of `in-page.js`, for a page that got the SDK in another way.

/** Starts it, and gives tests what they ask for. */
export function harnessOf(sdk, options) {
  const passerby = { ...sdk, ...sdk.default };
  const events = [];
  passerby.init({
    apiDomain: location.origin,
    onHandleEvent: ({ action }) => events.push({ name: action }),
    ...options,
  });
  const request = async (...values) => {
    const response = await fetch(...values);
    const text = await response.text();
    return { status: response.status, body: text && JSON.parse(text) };
  };
  const attempt = async (name, ...values) => {
    try {
      return { value: await passerby[name](...values) };
    } catch ({ code, message }) {
      return { code, message };
    }
  };
  Object.assign(window, { passerby, harness: { events, request, attempt } });
}
