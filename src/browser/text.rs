//! JavaScript strings that the rules can judge where they are. Copying them here would cost code at both ends.

use passerby_protocol::scope;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/browser/host.js")]
extern "C" {
    /// A string of the browser.
    #[derive(Clone, Debug)]
    pub type Text;
    #[wasm_bindgen(method, js_name = startsWith)]
    fn starts_with_js(this: &Text, prefix: &str) -> bool;
    #[wasm_bindgen(method, js_name = endsWith)]
    fn ends_with_js(this: &Text, suffix: &Text) -> bool;
    #[wasm_bindgen(method)]
    fn includes(this: &Text, part: &str) -> bool;
    #[wasm_bindgen(method)]
    fn substring(this: &Text, from: u32) -> Text;
    fn tidy(text: &Text) -> Text;
    pub(crate) fn concat(a: &Text, b: &Text) -> Text;
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        let (this, other): (&JsValue, &JsValue) = (self, other);
        this == other
    }
}

#[cfg(feature = "api")]
impl From<js_sys::JsString> for Text {
    fn from(text: js_sys::JsString) -> Self {
        text.unchecked_into()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        JsValue::from_str(text).unchecked_into()
    }
}

impl scope::Text for Text {
    fn tidy(&self) -> Self {
        tidy(self)
    }
    fn starts_with(&self, prefix: &str) -> bool {
        self.starts_with_js(prefix)
    }
    fn ends_with(&self, suffix: &Self) -> bool {
        self.ends_with_js(suffix)
    }
    fn contains(&self, part: &str) -> bool {
        self.includes(part)
    }
    fn skip_first(&self) -> Self {
        self.substring(1)
    }
    fn after(&self, prefix: &str) -> Self {
        concat(&prefix.into(), self)
    }
}
