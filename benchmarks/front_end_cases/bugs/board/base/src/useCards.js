import { useState } from 'react';

const initial = [
  { id: 1, title: 'Fix the leaking gutter', column: 'To do', owner: 'Ines', text: 'North side, above the bicycle shed.' },
  { id: 2, title: 'Order gravel', column: 'To do', owner: 'Tomas', text: 'Two cubic metres, 8 to 16 mm.' },
  { id: 3, title: 'Repaint the gate', column: 'Doing', owner: 'Ines', text: 'Same green as before if they still have it.' },
  { id: 4, title: 'Write to the council', column: 'Doing', owner: 'Bo', text: 'About the lamp that is on all day.' },
  { id: 5, title: 'Buy a ladder', column: 'Done', owner: 'Bo', text: 'In the cellar, behind the boiler.' },
  { id: 6, title: 'Empty the attic', column: 'Done', owner: 'Tomas', text: 'Took a weekend.', archived: true },
  { id: 7, title: 'Sweep the chimney', column: 'Done', owner: 'Ines', text: 'Next one in two years.', archived: true },
];

export function useCards() {
  const [cards, setCards] = useState(initial);
  const mark = (id, archived) => setCards((all) => all.map((card) => (card.id === id ? { ...card, archived } : card)));

  return {
    cards,
    archive: (id) => mark(id, true),
    restore: (id) => mark(id, false),
  };
}
