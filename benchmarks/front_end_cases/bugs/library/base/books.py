def _book(slug, title, author, shelf, cover, free=True, returned=False):
    return {"slug": slug, "title": title, "author": author, "shelf": shelf, "cover": cover, "free": free, "returned": returned}


BOOKS = [
    _book("tide", "The Tide Tables", "H. Okonkwo", "Novels", "#2f5d7c", returned=True),
    _book("moss", "A Small Guide to Moss", "Lena Frisk", "Nature", "#4d7c3a"),
    _book("salt", "Salt Roads", "Ruben Adair", "History", "#8a5a2b", free=False),
    _book("winter", "Winter Accounts", "Olga Brandt", "Novels", "#5b4b8a", returned=True),
    _book("rails", "Narrow Rails", "P. J. Moor", "History", "#7c2f3d"),
    _book("geese", "Where the Geese Go", "Lena Frisk", "Nature", "#2f7c74"),
    _book("lamp", "The Lamp Room", "Hugh Verrall", "Novels", "#7c6a2f"),
    _book("knots", "Knots and Hitches", "Anonymous", "Crafts", None),
    _book("loaf", "One Loaf a Day", "Mina Sorel", "Crafts", "#9a4f24", returned=True),
    _book("weir", "Below the Weir", "Ada Thorne", "Novels", "#31476b", free=False),
    _book("ferns", "Ferns of the North", "Lena Frisk", "Nature", "#3f6b45"),
    _book("clocks", "Town Clocks", "B. Whitlow", "History", "#54545c"),
]


def find(slug):
    return next((b for b in BOOKS if b["slug"] == slug), None)
