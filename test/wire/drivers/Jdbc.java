// What pgjdbc does by itself: metadata, server-prepared and binary statements, batches, cursors by fetch size, COPY,
// generated keys, savepoints, cancelling. Usage: java -cp DRIVER Jdbc.java HOST PORT PASSWORD; ends with 0 when all held.

import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.*;
import java.util.*;
import org.postgresql.PGConnection;

public class Jdbc {
    static void same(Object expected, Object got) {
        if (!Objects.deepEquals(expected, got))
            throw new AssertionError("expected " + expected + ", got " + got);
    }

    static List<String> column(ResultSet rows, String... names) throws SQLException {
        List<String> all = new ArrayList<>();
        while (rows.next()) {
            StringBuilder line = new StringBuilder();
            for (String name : names)
                line.append(line.length() > 0 ? " " : "").append(rows.getString(name));
            all.add(line.toString());
        }
        rows.close();
        return all;
    }

    static void make(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("drop schema if exists of_jdbc cascade; create schema of_jdbc");
            statement.execute("set search_path = of_jdbc");
            statement.execute("create table author (id bigserial primary key, name varchar(40) not null unique, born date)");
            statement.execute("create table book (id int generated always as identity primary key, author_id bigint not null references author on delete cascade,"
                + " title text default 'none', price numeric(8,2) check (price > 0), tags text[], unique (author_id, title))");
            statement.execute("create index book_price on book (price desc) where price > 10");
            statement.execute("create view cheap as select * from book where price < 10");
            statement.execute("comment on table book is 'what is read'; comment on column book.title is 'its name'");
            statement.execute("create type mood as enum ('good', 'bad'); create sequence numbers");
            statement.execute("create function twice(n int) returns int language sql as 'select n * 2'");
        }
    }

    static void metadata(Connection connection) throws SQLException {
        DatabaseMetaData meta = connection.getMetaData();
        same("PostgreSQL", meta.getDatabaseProductName());
        same(15, meta.getDatabaseMajorVersion());
        same(List.of("author", "book"), column(meta.getTables(null, "of_jdbc", "%", new String[] {"TABLE"}), "TABLE_NAME"));
        same(List.of("book what is read"), column(meta.getTables(null, "of_jdbc", "book", null), "TABLE_NAME", "REMARKS"));
        same(List.of("cheap"), column(meta.getTables(null, "of_jdbc", null, new String[] {"VIEW"}), "TABLE_NAME"));
        same(List.of("id int4 10 0 YES 1 null", "author_id int8 19 0 NO 2 null", "title text 2147483647 1 NO 3 its name",
                "price numeric 8 1 NO 4 null", "tags _text 2147483647 1 NO 5 null"),
            column(meta.getColumns(null, "of_jdbc", "book", null), "COLUMN_NAME", "TYPE_NAME", "COLUMN_SIZE", "NULLABLE", "IS_AUTOINCREMENT",
                "ORDINAL_POSITION", "REMARKS"));
        same(List.of("id 1 book_pkey"), column(meta.getPrimaryKeys(null, "of_jdbc", "book"), "COLUMN_NAME", "KEY_SEQ", "PK_NAME"));
        same(List.of("author id book author_id 1 3 0 book_author_id_fkey author_pkey 7"),
            column(meta.getImportedKeys(null, "of_jdbc", "book"), "PKTABLE_NAME", "PKCOLUMN_NAME", "FKTABLE_NAME", "FKCOLUMN_NAME", "KEY_SEQ",
                "UPDATE_RULE", "DELETE_RULE", "FK_NAME", "PK_NAME", "DEFERRABILITY"));
        same(1, column(meta.getExportedKeys(null, "of_jdbc", "author"), "FK_NAME").size());
        same(1, column(meta.getCrossReference(null, "of_jdbc", "author", null, "of_jdbc", "book"), "FK_NAME").size());
        same(List.of("f book_author_id_title_key 1 author_id A null", "f book_author_id_title_key 2 title A null", "f book_pkey 1 id A null",
                "t book_price 1 price D (price > (10)::numeric)"),
            column(meta.getIndexInfo(null, "of_jdbc", "book", false, false), "NON_UNIQUE", "INDEX_NAME", "ORDINAL_POSITION", "COLUMN_NAME",
                "ASC_OR_DESC", "FILTER_CONDITION"));
        if (!column(meta.getSchemas(), "TABLE_SCHEM").contains("of_jdbc"))
            throw new AssertionError("getSchemas");
        same(List.of("twice"), column(meta.getFunctions(null, "of_jdbc", "%"), "FUNCTION_NAME"));
        same(2, column(meta.getFunctionColumns(null, "of_jdbc", "twice", null), "COLUMN_NAME").size());
        same(0, column(meta.getProcedures(null, "of_jdbc", "%"), "PROCEDURE_NAME").size());
        same(2, column(meta.getProcedureColumns(null, "of_jdbc", "%", null), "COLUMN_NAME").size());
        same(List.of("id"), column(meta.getBestRowIdentifier(null, "of_jdbc", "author", DatabaseMetaData.bestRowSession, true), "COLUMN_NAME"));
        column(meta.getTypeInfo(), "TYPE_NAME");
        column(meta.getCatalogs(), "TABLE_CAT");
        column(meta.getTableTypes(), "TABLE_TYPE");
        column(meta.getTablePrivileges(null, "of_jdbc", "%"), "PRIVILEGE");
        column(meta.getColumnPrivileges(null, "of_jdbc", "book", "%"), "PRIVILEGE");
        column(meta.getUDTs(null, "of_jdbc", "%", null), "TYPE_NAME");
        column(meta.getVersionColumns(null, "of_jdbc", "book"), "COLUMN_NAME");
        column(meta.getClientInfoProperties(), "NAME");
        same(63, meta.getMaxColumnNameLength());
        if (!meta.getSQLKeywords().contains("concurrently"))
            throw new AssertionError("getSQLKeywords");
    }

    static void values(Connection connection, boolean simple) throws SQLException {
        try (PreparedStatement insert = connection.prepareStatement("insert into author (name, born) values (?, ?)", Statement.RETURN_GENERATED_KEYS)) {
            insert.setString(1, "Ada");
            insert.setObject(2, java.time.LocalDate.of(1815, 12, 10));
            same(1, insert.executeUpdate());
            same(List.of("1 Ada"), column(insert.getGeneratedKeys(), "id", "name"));
        }
        try (PreparedStatement insert = connection.prepareStatement("insert into book (author_id, title, price, tags) values (?, ?, ?, ?)")) {
            for (int i = 0; i < 300; i++) {
                insert.setLong(1, 1);
                insert.setString(2, "t" + i);
                insert.setBigDecimal(3, new BigDecimal(i + ".50"));
                insert.setArray(4, connection.createArrayOf("text", new String[] {"a", null, "c" + i}));
                insert.addBatch();
            }
            same(300, insert.executeBatch().length);
        }
        String all = "select ?::int2, ?::int4, ?::int8, ?::float4, ?::float8, ?::numeric, ?::bool, ?::text, ?::bytea, ?::date, ?::timestamptz, ?::uuid, ?::time";
        for (int round = 0; round < (simple ? 0 : 8); round++)  // from the fifth time on it is prepared in the server, and binary
            try (PreparedStatement select = connection.prepareStatement(all)) {
                UUID uuid = UUID.fromString("12345678-1234-1234-1234-123456789abc");
                java.time.OffsetDateTime when = java.time.OffsetDateTime.parse("2024-02-29T12:00:00.5Z");
                Object[] given = {1, 2, 3L, 1.5f, 2.5, new BigDecimal("12.340"), true, "ä", new byte[] {0, -1}, java.time.LocalDate.of(2024, 2, 29), when, uuid,
                    java.time.LocalTime.of(1, 2, 3)};
                for (int i = 0; i < given.length; i++)
                    select.setObject(i + 1, given[i]);
                ResultSet rows = select.executeQuery();
                rows.next();
                same(List.of(1, 2, 3L, 1.5f, 2.5, new BigDecimal("12.340"), true, "ä"), List.of(rows.getInt(1), rows.getInt(2), rows.getLong(3), rows.getFloat(4),
                    rows.getDouble(5), rows.getBigDecimal(6), rows.getBoolean(7), rows.getString(8)));
                same(new byte[] {0, -1}, rows.getBytes(9));
                same(List.of(java.time.LocalDate.of(2024, 2, 29), when, uuid, java.time.LocalTime.of(1, 2, 3)), List.of(rows.getObject(10, java.time.LocalDate.class),
                    rows.getObject(11, java.time.OffsetDateTime.class), rows.getObject(12), rows.getObject(13, java.time.LocalTime.class)));
                PreparedStatement book = connection.prepareStatement("select price, tags from book where title = ?");
                book.setString(1, "t7");
                ResultSet one = book.executeQuery();
                one.next();
                same(new BigDecimal("7.50"), one.getBigDecimal(1));
                same(new String[] {"a", null, "c7"}, one.getArray(2).getArray());
                book.close();
            }
        if (simple)
            return;
        try (PreparedStatement select = connection.prepareStatement("select id, title as name, price * 2 from book where id = ?")) {
            ResultSetMetaData columns = select.getMetaData();
            same(List.of("serial", "name", "numeric", 1), List.of(columns.getColumnTypeName(1), columns.getColumnLabel(2), columns.getColumnTypeName(3),
                select.getParameterMetaData().getParameterCount()));
            same("book", columns.getTableName(1));
            same(true, columns.isAutoIncrement(1));
        }
        try (CallableStatement call = connection.prepareCall("{? = call twice(?)}")) {
            call.registerOutParameter(1, Types.INTEGER);
            call.setInt(2, 21);
            call.execute();
            same(42, call.getInt(1));
        }
        try (Statement updatable = connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
            ResultSet rows = updatable.executeQuery("select id, title from book where id = 2");
            rows.next();
            rows.updateString("title", "changed");
            rows.updateRow();
            same("changed", column(updatable.executeQuery("select title from book where id = 2"), "title").get(0));
        }
    }

    static void transactions(Connection connection) throws Exception {
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(64);
            ResultSet rows = statement.executeQuery("select * from book order by id");
            int count = 0;
            while (rows.next())
                count++;
            same(300, count);
            Savepoint here = connection.setSavepoint("here");
            try {
                statement.executeUpdate("insert into author (name) values ('Ada')");
                throw new AssertionError("no duplicate");
            } catch (SQLException error) {
                same("23505", error.getSQLState());
                same("author_name_key", ((org.postgresql.util.PSQLException) error).getServerErrorMessage().getConstraint());
            }
            connection.rollback(here);
            same(300, statement.executeUpdate("update book set price = price + 1"));
        }
        connection.rollback();
        connection.setReadOnly(true);
        connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        same(Connection.TRANSACTION_REPEATABLE_READ, connection.getTransactionIsolation());
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate("delete from book");
            throw new AssertionError("written in a read-only transaction");
        } catch (SQLException error) {
            same("25006", error.getSQLState());
        }
        connection.rollback();
        connection.setReadOnly(false);
        connection.setAutoCommit(true);
        var copy = connection.unwrap(PGConnection.class).getCopyAPI();
        same(2L, copy.copyIn("copy author (name) from stdin", new StringReader("Grace\nAlan\n")));
        StringWriter out = new StringWriter();
        same(3L, copy.copyOut("copy (select name from author order by name) to stdout", out));
        same("Ada\nAlan\nGrace\n", out.toString());
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            statement.execute("select pg_sleep(100)");
            throw new AssertionError("slept");
        } catch (SQLException error) {
            same("57014", error.getSQLState());
        }
        same(true, connection.isValid(5));
    }

    public static void main(String[] given) throws Exception {
        for (String mode : new String[] {"prefer", "disable"})
            for (String query : new String[] {"extended", "simple"}) {
                String url = "jdbc:postgresql://" + given[0] + ":" + given[1] + "/synod?user=synod&password=" + given[2] + "&sslmode=" + mode
                    + "&preferQueryMode=" + query + "&binaryTransfer=true&reWriteBatchedInserts=" + (mode.equals("prefer"));
                try (Connection connection = DriverManager.getConnection(url)) {
                    make(connection);
                    metadata(connection);
                    values(connection, query.equals("simple"));
                    transactions(connection);
                }
            }
    }
}
