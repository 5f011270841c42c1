"""What is said to both servers; transcript.py explains the notation. Each must be answered alike, word for word."""

SESSION = {
    "empty queries": ["Q ", "Q  ; ", "Q ;;;"],
    "the status after BEGIN, an error and ROLLBACK": [
        "Q begin", "Q select 1/0", "Q select 1", "Q savepoint a", "Q rollback", "Q rollback", "Q commit", "Q end"],
    "COMMIT of what has failed": ["Q begin", "Q nonsense", "Q commit"],
    "BEGIN twice": ["Q begin", "Q begin", "Q commit"],
    "several statements are one transaction": [
        "Q create table several (a int)", "Q insert into several values (1); insert into several values (2); select 1/0",
        "Q select count(*) from several", "Q insert into several values (1); begin; insert into several values (2)",
        "Q rollback", "Q select count(*) from several", "Q drop table several"],
    "BEGIN within several": ["Q select 1; begin; select 2", "Q commit"],
    "syntax errors have positions": ["Q selec 1", "Q select 1 +", "Q select 'é' from"],
    "SHOW and SET": [
        "Q show timezone", "Q set timezone to 'Europe/Berlin'", "Q show TimeZone", "Q set timezone to 'Nowhere/City'",
        "Q set work_mem to '3MB'", "Q show work_mem", "Q set work_mem = 5000", "Q show work_mem", "Q reset work_mem",
        "Q set work_mem to '3 apples'", "Q set nonsense to 1", "Q show nonsense",
        "Q set a.b to 'c'", "Q show a.b", "Q set enable_seqscan to maybe", "Q set enable_seqscan to fal",
        "Q show enable_seqscan", "Q set intervalstyle to 'iso_8601'", "Q set intervalstyle to 'nonsense'",
        "Q set datestyle to 'german'", "Q set datestyle to 'ymd, sql'", "Q show datestyle", "Q set datestyle to 'x'",
        "Q set extra_float_digits to 99", "Q set extra_float_digits = 3", "Q set client_min_messages to warning",
        "Q set statement_timeout to '2h'", "Q show statement_timeout", "Q set search_path to a, \"B\", \"$user\"",
        "Q show search_path", "Q set search_path to 'a, b'", "Q show search_path", "Q reset all", "Q show search_path",
        "Q show transaction isolation level", "Q set server_version to 'x'",
        "Q set max_connections to 5", "Q set time zone interval '+05:30' hour to minute", "Q show timezone",
        "Q set time zone -3", "Q show timezone", "Q set time zone local", "Q set application_name to 'me'",
        "Q set client_encoding to 'utf-8'", "Q set client_encoding to 'nonsense'", "Q set names 'UTF8'",
        "Q set default_transaction_isolation to serializable", "Q show transaction_isolation",
        "Q set session characteristics as transaction isolation level read committed",
        "Q set standard_conforming_strings = on", "Q set log_connections to on", "Q set fsync to off"],
    "SET is undone with its transaction": [
        "Q begin", "Q set timezone to 'Asia/Tokyo'", "Q rollback", "Q show timezone", "Q begin",
        "Q set local timezone to 'Asia/Tokyo'", "Q show timezone", "Q commit", "Q show timezone",
        "Q set local timezone to 'Asia/Tokyo'", "Q begin", "Q savepoint a", "Q set timezone to 'Asia/Tokyo'",
        "Q rollback to a", "Q show timezone", "Q set timezone to 'America/New_York'", "Q commit", "Q show timezone",
        "Q reset timezone"],
    "SET TRANSACTION": [
        "Q begin isolation level repeatable read, read only", "Q show transaction_isolation",
        "Q show transaction_read_only", "Q set transaction isolation level serializable", "Q show transaction_isolation",
        "Q commit", "Q begin", "Q select 1", "Q set transaction isolation level serializable", "Q rollback",
        "Q set transaction read only", "Q start transaction read only", "Q create table x (a int)", "Q rollback",
        "Q commit and chain", "Q begin isolation level serializable", "Q commit and chain", "Q show transaction_isolation",
        "Q rollback and no chain"],
    "savepoints": [
        "Q savepoint a", "Q begin", "Q savepoint a", "Q savepoint b", "Q release a", "Q rollback to b", "Q rollback to a",
        "Q rollback", "Q begin", "Q savepoint a", "Q select 1/0", "Q rollback to a", "Q release savepoint a", "Q commit"],
    "PREPARE and EXECUTE": [
        "Q prepare p as select $1::int + 1", "Q prepare p as select 2", "Q execute p(2)", "Q execute p", "Q execute p(1, 2)",
        "Q execute p('x')", "Q deallocate p", "Q deallocate p", "Q execute p(1)", "Q prepare q (text) as select $1",
        "Q execute q('a')", "Q deallocate all", "Q prepare t as show timezone"],
    "the extended protocol": [
        "P |select $1::int + $2 as sum ;; DS  ;; B ||1,2 ;; DP  ;; E  ;; S",
        "P s1|select 1 ;; S", "P s1|select 2 ;; S", "B |s1 ;; E  ;; S", "B |nosuch ;; E  ;; S", "E nosuch ;; S", "DS nosuch ;; S",
        "DP nosuch ;; S", "CS s1 ;; CS s1 ;; CP nosuch ;; S", "P |select $1 ;; DS  ;; B ||~ ;; E  ;; S",
        "P |select 1; select 2 ;; S", "P | ;; B | ;; DP  ;; E  ;; S", "P |select $1::int ;; B ||1,2 ;; E  ;; S",
        "P |select $1::int ;; B ||x ;; E  ;; S", "P |select $1::int ;; B ||0x00000007|1|1 ;; E  ;; S",
        "P |select $1::int ;; B ||0x0007|1 ;; E  ;; S", "P |select 1, 'a' ;; B ||||1,0 ;; DP  ;; E  ;; S",
        "P |select 1, 'a' ;; B ||||1,0,1 ;; E  ;; S", "P |begin ;; DS  ;; B | ;; DP  ;; E  ;; S",
        "P |show timezone ;; DS  ;; B | ;; E  ;; S", "P |select 1/a from generate_series(0,0) a ;; B | ;; E  ;; P |select 1 ;; B | ;; E  ;; S",
        "P |rollback ;; B | ;; E  ;; S", "S", "H ;; S"],
    "everything up to Sync is one transaction": [
        "P |create table pipeline (a int) ;; B | ;; E  ;; P |insert into pipeline values (1) ;; B | ;; E  ;; P |select nosuch ;; B | ;; E  ;; S",
        "Q select * from pipeline"],
    "portals give as many rows as asked for": [
        "Q begin", "P |select * from generate_series(1,5) ;; B p| ;; E p|2 ;; S", "E p|2 ;; E p|2 ;; S", "E p ;; S",
        "Q commit", "E p ;; S", "P |select * from generate_series(1,3) ;; B p| ;; E p|3 ;; E p|1 ;; S"],
    "cursors": [
        "Q declare c cursor for select 1", "Q begin", "Q declare c scroll cursor for select * from generate_series(1,10)",
        "Q fetch c", "Q fetch 3 from c", "Q fetch backward 2 from c", "Q fetch first from c", "Q fetch last from c",
        "Q fetch absolute 5 from c", "Q fetch relative -2 from c", "Q fetch relative 0 from c", "Q move 2 from c",
        "Q fetch all from c", "Q fetch prior from c", "Q fetch absolute 0 from c", "Q fetch absolute -3 from c",
        "Q fetch forward 0 from c", "Q move backward all in c", "Q fetch backward 1 from c", "Q fetch next from c",
        "DP c ;; S", "Q declare c cursor for select 1", "Q rollback", "Q begin",
        "Q declare n no scroll cursor for select * from generate_series(1,3)", "Q fetch 2 from n", "Q fetch prior from n",
        "Q rollback", "Q begin", "Q declare h cursor with hold for select * from generate_series(1,3)", "Q fetch h",
        "Q commit", "Q fetch all from h", "Q close h", "Q close h", "Q close all", "Q fetch from nosuch"],
    "SQL's cursors are portals": [
        "Q begin", "Q declare \"srv\" cursor for select 1 as one", "DP srv ;; S", "Q fetch all from srv", "Q commit"],
    "DISCARD and others": [
        "Q discard all", "Q discard plans", "Q discard sequences", "Q discard temp", "Q begin", "Q discard all", "Q rollback",
        "Q unlisten *", "Q close all", "Q reset all",
        "Q set client_min_messages to warning;set time zone interval '+00:00' hour to minute;",
        "Q vacuum", "Q begin", "Q vacuum", "Q rollback", "Q checkpoint", "Q set constraints all immediate",
        "Q select 1; vacuum", "Q lock table pg_class", "Q begin", "Q lock table pg_class in access share mode",
        "Q lock table nosuch", "Q rollback"],
    "functions of the session": [
        "Q select current_setting('timezone'), current_setting('nosuch', true)", "Q select current_setting('nosuch')",
        "Q select set_config('timezone', 'Asia/Tokyo', false)", "Q show timezone", "Q select current_schemas(true), current_schemas(false)",
        "Q select current_schema(), current_user, session_user", "Q select pg_is_in_recovery(), pg_client_encoding()",
        "Q select pg_advisory_lock(1), pg_try_advisory_lock(1), pg_advisory_unlock(1), pg_advisory_unlock(1)",
        "Q select pg_advisory_unlock(1)", "Q select pg_advisory_unlock_all()", "Q select pg_try_advisory_xact_lock(7, 8)"],
    "bytes that are no UTF-8": ["P |select 1 ;; S", "Q select 'x'"],
}

COPY = {
    "text out": ["Q copy (select 1, null, E'a\\tb\\\\c\\nd') to stdout", "Q copy (select 1 where false) to stdout"],
    "csv out": [
        "Q copy (select 1 as a, 'x,\"y\"' as b, '' as c, null as d) to stdout (format csv, header)",
        "Q copy (select 'a' as a, 'b' as b) to stdout (format csv, force_quote *, quote '''', delimiter ';')"],
    "binary out": ["Q copy (select 1::int4, 'a'::text, null::int8) to stdout (format binary)"],
    "options that cannot be": [
        "Q copy (select 1) to stdout (format nonsense)", "Q copy (select 1) to stdout (delimiter 'ab')",
        "Q copy (select 1) to stdout (quote '\"')", "Q copy (select 1) to stdout (nonsense 1)",
        "Q copy nosuch to stdout", "Q copy (select 1) to stdout (format csv, format text)"],
    "in": [
        "Q create table copied (a int primary key, b text default 'x', c int)", "Q copy copied from stdin",
        "d 1\\ta\\t3\\n2\\t\\\\N\\t\\\\N\\n ;; d 3\\tc\\\\td\\t5\\n ;; c", "Q select * from copied order by a",
        "Q copy copied (a) from stdin", "d 10\\n11\\n ;; c", "Q copy copied from stdin (format csv, header)",
        "d a,b,c\\n20,\"q\"\"r,\\ns\",\\n21,,7\\n ;; c", "Q select * from copied order by a", "Q copy copied from stdin",
        "d 5\\n ;; c", "Q copy copied from stdin", "d 5\\ta\\t3\\t4\\n ;; c", "Q copy copied from stdin", "d x\\ta\\t3\\n ;; c",
        "Q copy copied from stdin", "f enough", "Q copy copied from stdin where a > 30", "d 29\\ta\\t3\\n31\\tb\\t4\\n ;; c", "Q select count(*) from copied",
        "Q copy copied to stdout (format csv)", "Q drop table copied"],
}
