import { api, explain, type Product } from "./api";
import { quantityOf, setQuantity } from "./cart";
import { byId, h, plant } from "./dom";
import { money } from "./money";
import { toast } from "./toast";

/** Fills the shelf. */
export async function startProducts(): Promise<void> {
  const list = byId("products");
  try {
    const products = await api.products();
    list.replaceChildren(...products.map(card));
  } catch (error) {
    list.replaceChildren(
      h("li", { class: "empty" }, `The plants could not be loaded. ${explain(error)}`),
    );
  } finally {
    list.setAttribute("aria-busy", "false");
  }
}

function card(product: Product): HTMLElement {
  const add = async () => {
    if (await setQuantity(product.id, quantityOf(product.id) + 1))
      toast(`${product.name} is on your sill.`);
  };
  return h(
    "li",
    { class: "product", "data-product": product.id },
    h("div", { class: "picture" }, plant(product.id)),
    h("h3", {}, product.name),
    h("p", { class: "light" }, product.light),
    h("p", { class: "price" }, money(product.price)),
    h(
      "button",
      {
        type: "button",
        class: "button small",
        "aria-label": `Add ${product.name} to your sill`,
        onclick: add,
      },
      "Add",
    ),
  );
}
