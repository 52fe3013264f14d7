/** Just enough DOM: elements are made here, so that no text of a visitor is ever parsed as HTML. */

type Child = Node | string | null | undefined | false;
type Value = string | number | boolean | undefined | ((event: Event) => void);

/**
 * An HTML element: `on…` are listeners, `true` and `false` switch attributes, everything else is an
 * attribute.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, Value> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(
    ...children.filter(
      (child): child is Node | string => child instanceof Node || typeof child === "string",
    ),
  );
  return element;
}

/** The picture of a plant, out of the sprite `public/plants.svg`. */
export function plant(id: string, className = "plant"): SVGSVGElement {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("class", className);
  svg.setAttribute("viewBox", "0 0 120 140");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(namespace, "use");
  use.setAttribute("href", `/plants.svg#${encodeURIComponent(id)}`);
  svg.append(use);
  return svg;
}

/**
 * The element of the page with this id; the pages and the scripts are built together, so a miss is
 * a bug.
 */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no element #${id}`);
  return element;
}
