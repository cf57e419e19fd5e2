export const pumps = [
  { id: 'P1', site: 'Mill pond', flow: 412, state: 'running' },
  { id: 'P2', site: 'North well', flow: 380, state: 'running' },
  { id: 'P3', site: 'Castle hill', flow: 0, state: 'stopped' },
  { id: 'P4', site: 'Quarry', flow: 97, state: 'service' },
];

export const week = [310, 342, 298, 377, 401, 389, 352];
export const days = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
