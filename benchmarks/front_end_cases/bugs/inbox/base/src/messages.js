export const messages = [
  { id: 1, from: 'Housing office', subject: 'Heating on Monday', date: '3 Nov', starred: false, text: 'The heating will be off between eight and noon.' },
  { id: 2, from: 'Jonas', subject: 'Saturday?', date: '2 Nov', starred: true, text: 'Still fine for the market? I can bring the cart.' },
  { id: 3, from: 'Library', subject: 'Two books are due', date: '1 Nov', starred: false, text: 'You may renew them once more.' },
  { id: 4, from: 'Aunt Vera', subject: 'Recipe as promised', date: '30 Oct', starred: false, text: 'Do not skip the nutmeg.' },
];

export const contacts = [
  { name: 'Aunt Vera', mail: 'vera@post.example' },
  { name: 'Housing office', mail: 'office@house.example' },
  { name: 'Jonas', mail: 'jonas@post.example' },
];
