import { createRouter, createWebHistory } from 'vue-router';
import Timetable from './views/Timetable.vue';
import Speakers from './views/Speakers.vue';
import Venue from './views/Venue.vue';

export default createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', component: Timetable },
    { path: '/speakers', component: Speakers },
    { path: '/venue', component: Venue },
  ],
});
