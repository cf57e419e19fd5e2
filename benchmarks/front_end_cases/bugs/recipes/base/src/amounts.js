const round = (value) => (value >= 20 ? Math.round(value / 5) * 5 : Math.round(value * 10) / 10);

/** The amount of an item when the recipe is made for a number of people. */
export function scaled(item, recipe, people) {
  const amount = round((item.amount * people) / recipe.serves);
  return item.unit ? `${amount} ${item.unit}` : String(amount);
}
