const euros = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" });

/** "€14.00" for 1400. */
export const money = (cents: number): string => euros.format(cents / 100);
