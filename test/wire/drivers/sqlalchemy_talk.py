"""What SQLAlchemy and Alembic do by themselves: DDL, reflection of all there is, migrations found by comparing.

Usage: sqlalchemy_talk.py HOST PORT PASSWORD; ends with 0 when all of it held."""

import enum
import sys
import warnings

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata, produce_migrations
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import Session, declarative_base, relationship, selectinload

host, port, password = sys.argv[1:]
Base = declarative_base(metadata=sa.MetaData(schema="of_alchemy"))


class Mood(enum.Enum):
    good = 1
    bad = 2


class Author(Base):
    __tablename__ = "author"
    id = sa.Column(sa.BigInteger, primary_key=True)
    name = sa.Column(sa.String(40), nullable=False, unique=True, comment="as printed")
    mood = sa.Column(sa.Enum(Mood, schema="of_alchemy"), server_default="good")
    born = sa.Column(sa.DateTime(timezone=True), server_default=sa.func.now())
    books = relationship("Book", back_populates="author", cascade="all, delete-orphan")


class Book(Base):
    __tablename__ = "book"
    id = sa.Column(sa.Integer, sa.Identity(always=True, start=10), primary_key=True)
    author_id = sa.Column(sa.ForeignKey(Author.id, ondelete="CASCADE", deferrable=True, initially="DEFERRED"), index=True)
    title = sa.Column(sa.Text, nullable=False)
    price = sa.Column(sa.Numeric(8, 2))
    twice = sa.Column(sa.Numeric, sa.Computed("price * 2", persisted=True))
    tags = sa.Column(pg.ARRAY(sa.Text))
    more = sa.Column(pg.JSONB)
    number = sa.Column(pg.UUID)
    author = relationship(Author, back_populates="books")
    __table_args__ = (
        sa.CheckConstraint("price > 0", name="price_is_positive"),
        sa.UniqueConstraint("author_id", "title", name="once"),
        sa.Index("book_title_lower", sa.text("lower(title)")),
        sa.Index("dear", price.desc(), postgresql_where=sa.text("price > 100"), postgresql_include=["title"]),
        {"comment": "what is read", "schema": "of_alchemy"},
    )


def mapped(engine):
    with Session(engine) as session:
        ada = Author(name="Ada", books=[Book(title="Notes", price=1.5, tags=["a", None], more={"x": [1]}, number="12345678-1234-1234-1234-123456789abc")])
        session.add(ada)
        session.flush()
        assert ada.books[0].id == 10
        try:
            with session.begin_nested():
                session.add(Author(name="Ada"))
                session.flush()
            raise AssertionError("no duplicate")
        except sa.exc.IntegrityError as error:
            assert error.orig.diag.constraint_name == "author_name_key", error.orig.diag.constraint_name
        session.commit()
    with Session(engine) as session:
        [ada] = session.execute(sa.select(Author).options(selectinload(Author.books)).where(Author.name.in_(["Ada", "Bob"]))).scalars()
        book = ada.books[0]
        assert (ada.mood, str(book.twice), book.tags, book.more) == (Mood.good, "3.00", ["a", None], {"x": [1]})
        insert = pg.insert(Author).values([{"name": "Ada"}, {"name": "Grace"}])
        session.execute(insert.on_conflict_do_update(index_elements=["name"], set_={"mood": "bad"}))
        assert session.query(Author).filter(Author.mood == Mood.bad).count() == 1
        ranked = sa.select(Author.name, sa.func.row_number().over(order_by=Author.name.desc()))
        assert session.execute(ranked).all() == [("Grace", 1), ("Ada", 2)]
        assert session.execute(sa.select(Book).with_for_update(skip_locked=True, of=Book)).scalars().all() == [book]
        session.delete(ada)
        session.commit()
        assert session.query(Book).count() == 0


def reflected(engine):
    look = sa.inspect(engine)
    assert "of_alchemy" in look.get_schema_names()
    assert look.get_table_names("of_alchemy") == ["author", "book"]
    columns = {column["name"]: column for column in look.get_columns("book", "of_alchemy")}
    assert columns["id"]["identity"]["start"] == 10 and columns["id"]["identity"]["always"]
    assert columns["twice"]["computed"]["persisted"]
    assert isinstance(columns["tags"]["type"], pg.ARRAY) and isinstance(columns["more"]["type"], pg.JSONB)
    assert isinstance(look.get_columns("author", "of_alchemy")[2]["type"], pg.ENUM)
    assert look.get_pk_constraint("book", "of_alchemy") == {"constrained_columns": ["id"], "name": "book_pkey"}
    [foreign] = look.get_foreign_keys("book", "of_alchemy")
    assert foreign["options"] == {"ondelete": "CASCADE", "deferrable": True, "initially": "DEFERRED"}, foreign
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it leaves out what is on expressions
        indexes = {index["name"]: index for index in look.get_indexes("book", "of_alchemy")}
    assert set(indexes) - {"book_title_lower"} == {"dear", "ix_of_alchemy_book_author_id", "once"}, indexes
    assert indexes["dear"]["include_columns"] == ["title"] and indexes["dear"]["column_sorting"] == {"price": ("desc",)}
    assert [unique["name"] for unique in look.get_unique_constraints("book", "of_alchemy")] == ["once"]
    assert [check["name"] for check in look.get_check_constraints("book", "of_alchemy")] == ["price_is_positive"]
    assert look.get_table_comment("book", "of_alchemy") == {"text": "what is read"}
    assert [enum["name"] for enum in look.get_enums("of_alchemy")] == ["mood"]
    assert look.get_view_names("of_alchemy") == ["cheap"] and "price" in look.get_view_definition("cheap", "of_alchemy")
    assert look.has_table("author", "of_alchemy") and look.has_sequence("author_id_seq", "of_alchemy")
    again = sa.MetaData(schema="of_alchemy")
    again.reflect(engine, views=True)
    assert set(again.tables) == {"of_alchemy.author", "of_alchemy.book", "of_alchemy.cheap"}


def migrated(engine):
    ours = {"include_schemas": True, "compare_type": True, "compare_server_default": True,
            "include_name": lambda name, kind, parents: kind != "schema" or name == "of_alchemy"}
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=ours)
        found = compare_metadata(context, Base.metadata)
        assert found == [], found
    wanted = sa.MetaData(schema="of_alchemy")
    for table in Base.metadata.sorted_tables:
        table.to_metadata(wanted)
    book = wanted.tables["of_alchemy.book"]
    book.append_column(sa.Column("pages", sa.Integer, server_default="1", nullable=False))
    book.c.title.type = sa.String(200)
    wanted.tables["of_alchemy.author"].c.name.comment = None
    sa.Table("shelf", wanted, sa.Column("id", sa.Integer, primary_key=True), sa.Column("book", sa.ForeignKey("of_alchemy.book.id")))
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts=ours)
        operations = Operations(context)
        pending = [produce_migrations(context, wanted).upgrade_ops]
        while pending:
            step = pending.pop(0)
            if hasattr(step, "ops"):
                pending = step.ops + pending
            else:
                operations.invoke(step)
        found = compare_metadata(MigrationContext.configure(connection, opts=ours), wanted)
        assert found == [], found


for driver in ["psycopg2"]:
    engine = sa.create_engine(f"postgresql+{driver}://synod:{password}@{host}:{port}/synod", future=True)
    with engine.begin() as connection:
        connection.execute(sa.text("drop schema if exists of_alchemy cascade"))
        connection.execute(sa.text("create schema of_alchemy"))
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("create view of_alchemy.cheap as select * from of_alchemy.book where price < 10"))
    mapped(engine)
    reflected(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("drop view of_alchemy.cheap"))
    migrated(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("drop table of_alchemy.shelf"))
    Base.metadata.drop_all(engine)
    assert sa.inspect(engine).get_table_names("of_alchemy") == [] and sa.inspect(engine).get_enums("of_alchemy") == []
