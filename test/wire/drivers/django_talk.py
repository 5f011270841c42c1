"""What Django's ORM does by itself: migrations forth and back, inspectdb, queries, constraints checked at the end.

Usage: django_talk.py HOST PORT PASSWORD; ends with 0 when all of it held."""

import io
import os
import sys
import tempfile

import django
from django.conf import settings
from django.core.management import call_command

host, port, password = sys.argv[1:]

MODELS = """
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower

class Author(models.Model):
    name = models.CharField(max_length=40, unique=True)
    mail = models.EmailField(null=True, db_index=True)
    born = models.DateTimeField(auto_now_add=True)

class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    friends = models.ManyToManyField(Author, related_name="likes")
    title = models.SlugField()
    price = models.DecimalField(max_digits=8, decimal_places=2)
    more = models.JSONField(default=dict)
    tags = ArrayField(models.TextField(), default=list)
    number = models.UUIDField(null=True)
    data = models.BinaryField(null=True)
    length = models.DurationField(null=True)
    ok = models.BooleanField(default=True)
    weight = models.FloatField(null=True)
    small = models.PositiveSmallIntegerField(default=1)

    class Meta:
        constraints = [
            models.CheckConstraint(check=models.Q(price__gte=0), name="not_negative"),
            models.UniqueConstraint(fields=["author", "title"], name="once"),
            models.UniqueConstraint(fields=["small"], condition=models.Q(ok=False), name="small_if_not_ok"),
        ]
        indexes = [models.Index(Lower("title").desc(), name="by_title"), models.Index(fields=["-price", "title"], name="by_price")]
"""


def app(directory):
    os.makedirs(os.path.join(directory, "shelf", "migrations"))
    for name, text in {"__init__.py": "", "models.py": MODELS, "migrations/__init__.py": ""}.items():
        with open(os.path.join(directory, "shelf", name), "w", encoding="utf-8") as file:
            file.write(text)


def again(directory, old, new):
    """Another process's work: the models change, a migration is found and applied."""
    path = os.path.join(directory, "shelf", "models.py")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert old in text
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))


def queries():
    from django.db import IntegrityError, connection, transaction
    from django.db.models import Avg, Count, F, OuterRef, Q, Subquery, Sum, Window
    from django.db.models.functions import RowNumber, TruncMonth, Upper
    from shelf.models import Author, Book
    ada = Author.objects.create(name="Ada", mail="ada@example.org")
    Author.objects.bulk_create([Author(name=f"a{i}") for i in range(50)])
    Book.objects.bulk_create([Book(author=ada, title=f"t{i}", price=i, more={"n": [i]}, tags=["x", f"y{i}"], data=b"\0\1", small=i) for i in range(20)])
    book = Book.objects.get(title="t3")
    book.friends.add(*Author.objects.filter(name__in=["a1", "a2"]))
    assert (book.more, book.tags, bytes(book.data)) == ({"n": [3]}, ["x", "y3"], b"\0\1")
    assert Book.objects.filter(more__n__0=3).get() == book and Book.objects.filter(tags__contains=["y3"]).get() == book
    assert Author.objects.filter(Q(name__icontains="DA") | Q(name__startswith="a4"), likes=None).count() == 12
    assert Book.objects.aggregate(Sum("price"), Avg("small")) == {"price__sum": 190, "small__avg": 9.5}
    assert Book.objects.annotate(Count("friends")).get(title="t3").friends__count == 2
    newest = Book.objects.filter(author=OuterRef("pk")).order_by("-price")
    assert Author.objects.annotate(best=Subquery(newest.values("title")[:1])).exclude(best=None).get().best == "t19"
    ranked = Book.objects.annotate(n=Window(RowNumber(), order_by=F("price").desc())).order_by("n")
    assert [b.title for b in ranked[:2]] == ["t19", "t18"]
    assert list(Author.objects.annotate(month=TruncMonth("born"), loud=Upper("name")).values_list("month").annotate(Count("id")).values_list("id__count", flat=True))
    assert Book.objects.filter(price__gt=15).update(price=F("price") * 2) == 4
    assert sum(1 for _ in Book.objects.iterator(chunk_size=7)) == 20
    assert Book.objects.get_or_create(title="new", author=ada, defaults={"price": 1, "small": 99})[1]
    assert not Book.objects.update_or_create(title="new", author=ada, defaults={"price": 2})[1]
    Author.objects.bulk_create([Author(name="Ada")], ignore_conflicts=True)
    with transaction.atomic():
        list(Book.objects.select_for_update(skip_locked=True, of=("self",)).select_related("author"))
        try:
            with transaction.atomic():
                Book.objects.create(author=ada, title="t3", price=1)
            raise AssertionError("no duplicate")
        except IntegrityError as error:
            assert "once" in str(error)
    try:
        with transaction.atomic():
            Book.objects.filter(title="t5").update(author_id=10**6)  # a deferred constraint: it fails at the end
            assert Book.objects.filter(author_id=10**6).exists()
        raise AssertionError("no foreign key")
    except IntegrityError:
        pass
    assert (Author.objects.filter(mail=None).union(Author.objects.filter(name="Ada")).count(), ada.delete()[1]["shelf.Book"]) == (51, 21)
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "shelf_book")
    assert found["once"]["columns"] == ["author_id", "title"] and found["by_price"]["orders"] == ["DESC", "ASC"], found
    assert found["not_negative"]["check"] and found["by_title"]["index"]
    assert any(one["foreign_key"] == ("shelf_author", "id") for one in found.values())


def main():
    with tempfile.TemporaryDirectory() as directory:
        app(directory)
        sys.path.insert(0, directory)
        database = {"ENGINE": "django.db.backends.postgresql", "HOST": host, "PORT": port, "USER": "synod", "PASSWORD": password,
                    "NAME": "of_django"}
        settings.configure(DATABASES={"default": database}, USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
                           SECRET_KEY="none", INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions",
                                                              "django.contrib.postgres", "shelf"])
        import psycopg2
        maker = psycopg2.connect(host=host, port=port, user="synod", password=password, dbname="synod")
        maker.autocommit = True
        maker.cursor().execute("drop database if exists of_django")
        maker.cursor().execute("create database of_django")
        django.setup()
        call_command("makemigrations", "shelf", verbosity=0)
        call_command("migrate", verbosity=0)
        call_command("migrate", "shelf", "zero", verbosity=0)
        call_command("migrate", verbosity=0)
        from django.contrib.auth.models import User
        User.objects.create_superuser("root", "root@example.org", "secret")
        queries()
        out = io.StringIO()
        call_command("inspectdb", stdout=out)
        assert "class ShelfBook(models.Model):" in out.getvalue() and "unique_together = (('author', 'title'),)" in out.getvalue()
        out = io.StringIO()
        call_command("dumpdata", stdout=out)
        call_command("flush", interactive=False, verbosity=0)
        path = os.path.join(directory, "all.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(out.getvalue())
        call_command("loaddata", path, verbosity=0)
        altered()
        from django.db import connection
        connection.close()
        maker.cursor().execute("drop database of_django")


def altered():
    """The schema editor's other words, as migrations say them."""
    from django.db import connection, migrations, models
    from django.db.migrations.state import ProjectState
    from django.apps import apps
    state = ProjectState.from_apps(apps)
    steps = [
        migrations.AddField("book", "pages", models.IntegerField(default=3)),
        migrations.AlterField("book", "pages", models.CharField(max_length=20, db_index=True, default="x")),
        migrations.RenameField("book", "pages", "sheets"),
        migrations.AlterField("author", "mail", models.CharField(max_length=100, default="", unique=True, null=True)),
        migrations.AlterField("author", "name", models.TextField()),
        migrations.AlterField("author", "id", models.AutoField(primary_key=True)),
        migrations.RenameModel("author", "writer"),
        migrations.AlterModelTable("book", "volume"),
        migrations.RemoveConstraint("book", "once"),
        migrations.RemoveIndex("book", "by_price"),
        migrations.RemoveField("book", "friends"),
        migrations.AlterUniqueTogether("book", {("title", "small")}),
        migrations.RunSQL("insert into shelf_writer (name, mail, born) values ('w', 'w', now())"),
        migrations.DeleteModel("book"),
    ]
    done = []
    for step in steps:
        before = state.clone()
        step.state_forwards("shelf", state)
        with connection.schema_editor() as editor:
            step.database_forwards("shelf", editor, before, state)
        done.append((step, before, state.clone()))
    for step, before, after in reversed(done):
        if step.reversible:
            with connection.schema_editor() as editor:
                step.database_backwards("shelf", editor, after, before)


main()
