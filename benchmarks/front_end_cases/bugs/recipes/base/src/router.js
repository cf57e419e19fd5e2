import { createRouter, createWebHistory } from 'vue-router';
import List from './views/List.vue';
import Recipe from './views/Recipe.vue';
import Shopping from './views/Shopping.vue';

export default createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', component: List },
    { path: '/recipe/:slug', component: Recipe, props: true },
    { path: '/shopping', component: Shopping },
  ],
});
