export const kinds = {
  music: { label: 'Music', icon: '♪' },
  talk: { label: 'Talks', icon: '✎' },
  family: { label: 'Family', icon: '☀' },
};

export const events = [
  { slug: 'brass-on-the-steps', title: 'Brass on the steps', kind: 'music', day: '3 May', place: 'Town hall', text: 'Forty players, no amplifiers.' },
  { slug: 'hedgehogs', title: 'Hedgehogs and how to house them', kind: 'talk', day: '4 May', place: 'Library', text: 'With a real one, if it wakes up.' },
  { slug: 'kite-morning', title: 'Kite morning', kind: 'family', day: '5 May', place: 'Upper meadow', text: 'Bring string.' },
  { slug: 'organ-at-noon', title: 'Organ at noon', kind: 'music', day: '8 May', place: 'St Anne', text: 'Thirty minutes of Buxtehude.' },
  { slug: 'old-photographs', title: 'Old photographs of the canal', kind: 'talk', day: '9 May', place: 'Lock house', text: 'Slides from 1921 to 1960.' },
];

export const find = (slug) => events.find((event) => event.slug === slug);
