from flask import Flask, abort, render_template, request

from books import BOOKS, find

app = Flask(__name__)
PER_PAGE = 6


@app.context_processor
def shelves():
    counts = {}
    for book in BOOKS:
        counts[book["shelf"]] = counts.get(book["shelf"], 0) + 1
    return {"shelves": sorted(counts.items())}


@app.get("/")
def home():
    return render_template("home.html", books=[b for b in BOOKS if b["returned"]])


@app.get("/catalogue")
def catalogue():
    page = max(request.args.get("page", 1, type=int), 1)
    shelf = request.args.get("shelf", "")
    books = [b for b in BOOKS if not shelf or b["shelf"] == shelf]
    pages = max(-(-len(books) // PER_PAGE), 1)
    books = books[(page - 1) * PER_PAGE : page * PER_PAGE]
    return render_template("catalogue.html", books=books, page=page, pages=pages, shelf=shelf)


@app.get("/book/<slug>")
def book(slug):
    found = find(slug)
    if found is None:
        abort(404)
    return render_template("book.html", book=found)
