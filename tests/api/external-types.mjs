// The public API of a crate, as rustdoc describes it in JSON, names types and traits of these other
// crates only. With each of them, a new major version of that crate is a new one of ours.

import { readFileSync } from "node:fs";

/**
 * Crates, or single items of a crate, with the reason.
 * @type {Record<string, Record<string, string>>}
 */
const ALLOWED = {
  passerby_protocol: {
    serde_core: "front tokens are JSON",
    serde_json: "payloads are JSON",
  },
  passerby_server: {
    "passerby_protocol::payload::PayloadError": "ours, and of exactly one version",
    http: "requests and responses of every framework",
    tower_layer: "`Sessions::layer` is one",
    tower_service: "what a layer makes",
    axum_core: "extractors",
    axum: "`SessionCore::router`",
    "bytes::bytes::Bytes": "the layer's own answers as bodies of any framework",
    actix_web: "feature `actix`",
    actix_http: "feature `actix`",
    actix_service: "feature `actix`",
    serde_core: "records that a store keeps, and payloads as types of the app",
    serde_json: "payloads are JSON",
    "sqlx_postgres::PgPool": "`PostgresStore::with_pool` shares the pool of an app",
    "tokio::runtime::task::join::JoinHandle": "`Sessions::prune_every`",
  },
  passerby: {
    "passerby_protocol::state::Event": "ours, and of exactly one version",
    serde_core: "payloads as types of the app",
    "wasm_bindgen::JsValue": "errors cross into JavaScript",
    "web_sys::features::gen_Response::Response": "the answer of a server that refused",
  },
};

const STANDARD = ["std", "core", "alloc"];

/**
 * The items of other crates that the public API names, each with where it does.
 * @param {any} crate
 */
function externalItems(crate) {
  const { index, paths, external_crates: crates } = crate;
  const found = new Map();
  const seen = new Set();

  const named = (/** @type {any} */ id, /** @type {string} */ where) => {
    const item = paths[id];
    const origin = item && item.crate_id !== 0 && crates[item.crate_id].name;
    if (!origin || STANDARD.includes(origin)) return;
    // A crate's name may differ from the name that its items' paths begin with.
    const path = [origin, ...item.path.slice(1)].join("::");
    if (!found.has(path)) found.set(path, where);
  };

  /** An object with a path and an id is a name of something. */
  const read = (/** @type {any} */ value, /** @type {string} */ where) => {
    if (!value || typeof value !== "object") return;
    if (typeof value.path === "string" && "id" in value) named(value.id, where);
    for (const part of Object.values(value)) read(part, where);
  };

  const visit = (/** @type {any} */ id, /** @type {string} */ outer) => {
    const item = index[id];
    if (!item || seen.has(id)) return;
    seen.add(id);
    const where = [outer, item.name].filter(Boolean).join("::");
    const [[kind, inner]] = /** @type {[string, any][]} */ (Object.entries(item.inner));
    if (kind === "use") {
      named(inner.id, where);
      visit(inner.id, outer);
      return;
    }
    // Those that the compiler derives by itself, and those of other crates for every type.
    if (kind === "impl" && (inner.is_synthetic || inner.blanket_impl)) return;
    read(inner, where);
    const { items, variants, fields, impls, kind: shape } = inner;
    const members = [items, variants, fields, impls, shape?.plain?.fields, shape?.tuple];
    const struct = shape?.struct?.fields;
    for (const member of [...members, struct].flat()) visit(member, where);
  };

  visit(crate.root, "");
  return { found, seen };
}

let failed = false;
for (const file of process.argv.slice(2)) {
  const crate = JSON.parse(readFileSync(file, "utf8"));
  const name = crate.index[crate.root].name;
  const { found, seen } = externalItems(crate);
  const allowed = ALLOWED[name] ?? {};
  const used = new Set();
  for (const [path, where] of found) {
    const key = [path, path.split("::")[0]].find((key) => key in allowed);
    used.add(key);
    if (key) continue;
    failed = true;
    console.error(`${where} names ${path}, which ALLOWED of ${name} does not have`);
  }
  // A list that allows what is not there says nothing of a check that reads nothing.
  for (const key of Object.keys(allowed)) {
    if (used.has(key)) continue;
    failed = true;
    console.error(`ALLOWED of ${name} has ${key}, which the public API does not name`);
  }
  console.log(`${name}: ${seen.size} public items, ${found.size} items of other crates`);
}
if (failed) process.exit(1);
