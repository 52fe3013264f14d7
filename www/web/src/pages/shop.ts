import { startCart } from "../cart";
import { startHeader } from "../header";
import { startPanel } from "../panel";
import { startProducts } from "../products";
import { startSession } from "../session";

startSession();
startHeader();
startPanel();
void startProducts();
startCart();
