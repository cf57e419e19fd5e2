const STAFF = [
  { id: 'okafor', name: 'Dr Ngozi Okafor', role: 'General practice', days: 'Mon, Tue, Thu', books: true },
  { id: 'lind', name: 'Dr Peter Lind', role: 'General practice', days: 'Mon, Wed, Fri', books: true },
  { id: 'sarkar', name: 'Dr Mita Sarkar', role: 'Children', days: 'Tue, Wed', books: true },
  { id: 'bell', name: 'Anne Bell', role: 'Nurse', days: 'Mon to Fri', books: false },
];
