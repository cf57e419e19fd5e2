export const products = [
  { id: 31, name: 'Birthday card, otter', price: 350, blurb: 'Blank inside.' },
  { id: 12, name: 'Wrapping paper, ferns', price: 420, blurb: 'Three sheets, 50 × 70 cm.' },
  { id: 47, name: 'Letter set, grey', price: 1250, blurb: 'Twenty sheets, ten envelopes.' },
  { id: 8, name: 'Wax and seal', price: 1800, blurb: 'Brass, with a beech handle.' },
  { id: 25, name: 'Postcards, lighthouses', price: 690, blurb: 'Box of twelve.' },
  { id: 19, name: 'Notebook, ruled', price: 980, blurb: 'A5, opens flat.' },
];

export const money = (cents) => `€${(cents / 100).toFixed(2)}`;
