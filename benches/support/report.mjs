// The table, as text, as JSON, and as a page with bars.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join, resolve } from "node:path";
import { summary } from "./rounds.mjs";

const ROOT = resolve(import.meta.dirname, "../..");
const OURS = "passerby";

export class Report {
  /**
   * @type {{
   *   part: string,
   *   name: string,
   *   unit: string,
   *   isMoreBetter: boolean,
   *   results: Record<string, ReturnType<typeof summary>>,
   *   note?: string,
   * }[]}
   */
  rows = [];
  #loads = [loadavg()[0]];

  /**
   * @param {string} part @param {string} name @param {string} unit
   * @param {Record<string, number[]>} values by contestant, those of the peers first
   * @param {{ isMoreBetter?: boolean, note?: string }} [more]
   */
  add(part, name, unit, values, { isMoreBetter = false, note } = {}) {
    const results = Object.fromEntries(
      Object.entries(values).map(([who, measured]) => [who, summary(measured)]),
    );
    const row = { part, name, unit, isMoreBetter, results, ...(note && { note }) };
    this.rows.push(row);
    this.#loads.push(loadavg()[0]);
    console.log(
      lines(row)
        .map((cells) => cells.join(" | "))
        .join("\n"),
    );
  }

  /** Prints everything once more, in one table, and writes the files. @param {string} folder */
  finish(folder) {
    const document = { ...circumstances(this.#loads), rows: this.rows };
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "bench.json"), `${JSON.stringify(document, null, 1)}\n`);
    writeFileSync(join(folder, "bench.html"), page(document));
    console.log(`\n${markdown(this.rows)}\n`);
    console.log(`${describe(document)}\n\nwritten: ${join(folder, "bench.json")} and bench.html`);
  }
}

/** On what, and beside what else, this was measured. */
function circumstances(loads) {
  const said = (program, ...options) => {
    try {
      return execFileSync(program, options, {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      })
        .trim()
        .split("\n")[0];
    } catch {
      return "unknown";
    }
  };
  return {
    at: new Date().toISOString(),
    commit: said("git", "-C", ROOT, "describe", "--always", "--dirty"),
    processor: `${cpus().length} x ${cpus()[0]?.model}`,
    load: { least: Math.min(...loads), most: Math.max(...loads) },
    node: process.version,
    rustc: said("rustc", "--version"),
    chromium: said(process.env.PASSERBY_CHROMIUM ?? "chromium", "--version"),
    peers: JSON.parse(readFileSync(join(ROOT, "benches/package.json"), "utf8")).dependencies,
  };
}

const describe = ({ at, commit, processor, load, node, rustc, chromium }) =>
  `${at}, commit ${commit}, ${processor}, load average ${load.least.toFixed(1)} to ` +
  `${load.most.toFixed(1)}, Node ${node}, ${rustc}, ${chromium}`;

/** Ours divided by the peer's. */
export const ratio = (results, peer) => results[OURS].median / results[peer].median;

const peersOf = (results) => Object.keys(results).filter((who) => who !== OURS);

function number(value) {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en", {
    maximumFractionDigits: digits,
    minimumFractionDigits: digits,
  });
}

/** A single value has no spread. */
const shown = ({ median, low, high, values }) =>
  values.length > 1 ? `${number(median)} (${number(low)}–${number(high)})` : number(median);

/** A ratio of what is hardly there says nothing. */
const quotient = (results, peer) => {
  const value = ratio(results, peer);
  return value > 0 && Number.isFinite(value) ? value.toFixed(2) : "–";
};

/** The cells of a row, a line for each peer. */
function lines({ name, unit, results, note }) {
  const ours = results[OURS] ? shown(results[OURS]) : "–";
  const title = note ? `${name} (${note})` : name;
  const peers = peersOf(results);
  if (!peers.length) return [[title, unit, "–", "–", ours, "–"]];
  return peers.map((peer) => [
    title,
    unit,
    peer,
    shown(results[peer]),
    ours,
    results[OURS] ? quotient(results, peer) : "–",
  ]);
}

export function markdown(rows) {
  const head = [
    "measure",
    "unit",
    "peer",
    "peer: median (quartiles)",
    "Passerby: median (quartiles)",
    "Passerby / peer",
  ];
  const cells = [head, head.map(() => "---"), ...rows.flatMap(lines)];
  return cells.map((line) => `| ${line.join(" | ")} |`).join("\n");
}

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function page(document) {
  const bars = ({ results, isMoreBetter, unit }) => {
    const most = Math.max(...Object.values(results).map(({ median }) => median), Number.MIN_VALUE);
    const lines = Object.entries(results).map(([who, result]) => {
      const width = Math.max(0, (100 * result.median) / most).toFixed(1);
      const text = `${shown(result)} ${unit}`;
      return (
        `<tr><th>${escaped(who)}</th><td><div class="${who === OURS ? "ours" : "peer"}" ` +
        `style="width:${width}%"></div></td><td>${escaped(text)}</td></tr>`
      );
    });
    return `<table>${lines.join("")}</table><p>${isMoreBetter ? "more" : "less"} is better</p>`;
  };
  const sections = document.rows.map((row) => {
    const ratios = row.results[OURS]
      ? peersOf(row.results).map((peer) => `${quotient(row.results, peer)} × ${peer}`)
      : [];
    const note = [row.note, ...ratios].filter(Boolean).join("; ");
    return `<section><h2>${escaped(row.name)}</h2>${bars(row)}<p>${escaped(note)}</p></section>`;
  });
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Passerby beside its peers</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { font-size: 1rem; margin: 2rem 0 0.25rem } p { margin: 0.25rem 0; color: #555 }
table { width: 100%; border-collapse: collapse }
th { width: 14rem; text-align: left; font-weight: normal }
td:last-child { width: 16rem; text-align: right; font-variant-numeric: tabular-nums }
.ours, .peer { height: 0.9rem; background: #999 } .ours { background: #2f7d4f }
</style>
<h1>Passerby beside its peers</h1><p>${escaped(describe(document))}</p>
${sections.join("\n")}
</html>
`;
}
