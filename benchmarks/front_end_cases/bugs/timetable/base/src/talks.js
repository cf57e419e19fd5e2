export const rooms = ['Hall', 'Loft', 'Boathouse'];

export const talks = [
  { at: '09:30', room: 'Hall', title: 'Opening', who: 'Marit Aune' },
  { at: '10:15', room: 'Hall', title: 'Maps that admit mistakes', who: 'Joel Brandt' },
  { at: '10:15', room: 'Loft', title: 'A year without a backlog', who: 'Sunita Rao' },
  { at: '10:15', room: 'Boathouse', title: 'Workshop: paper first', who: 'Ida Kos' },
  { at: '11:30', room: 'Hall', title: 'Slow software', who: 'Tom Weller' },
  { at: '11:30', room: 'Loft', title: 'Reading old tests', who: 'Marit Aune' },
  { at: '13:30', room: 'Boathouse', title: 'Workshop: sensors', who: 'Joel Brandt' },
];

export const times = [...new Set(talks.map((talk) => talk.at))];
