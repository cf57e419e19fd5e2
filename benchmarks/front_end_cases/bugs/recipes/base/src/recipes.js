export const recipes = [
  {
    slug: 'dal',
    title: 'Red lentil dal',
    serves: 4,
    items: [
      { what: 'red lentils', amount: 300, unit: 'g' },
      { what: 'coconut milk', amount: 400, unit: 'ml' },
      { what: 'ginger', amount: 20, unit: 'g' },
      { what: 'onions', amount: 2, unit: '' },
    ],
    steps: ['Fry onions and ginger.', 'Add lentils and 700 ml of water, simmer for 20 minutes.', 'Stir in the coconut milk.'],
  },
  {
    slug: 'pancakes',
    title: 'Oat pancakes',
    serves: 2,
    items: [
      { what: 'oats', amount: 120, unit: 'g' },
      { what: 'eggs', amount: 2, unit: '' },
      { what: 'milk', amount: 160, unit: 'ml' },
    ],
    steps: ['Blend everything.', 'Rest for ten minutes.', 'Fry in butter.'],
  },
  {
    slug: 'soup',
    title: 'Leek soup',
    serves: 6,
    items: [
      { what: 'leeks', amount: 900, unit: 'g' },
      { what: 'potatoes', amount: 600, unit: 'g' },
      { what: 'stock', amount: 1500, unit: 'ml' },
    ],
    steps: ['Sweat the leeks slowly.', 'Add potatoes and stock.', 'Cook until soft, blend half of it.'],
  },
];

export const find = (slug) => recipes.find((recipe) => recipe.slug === slug);
