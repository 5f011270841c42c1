-- Definitions as SQL: with the names the search path asks for, with all parentheses and with those needed.
create schema app;
create type mood as enum ('sad', 'ok');
create type app.level as enum ('low', 'high');
create function public.add_up(a int, b int default 2) returns int language sql immutable as 'select a + b';
create function app.twice(a int) returns int language sql immutable as 'select a * 2';
create table customer (id serial primary key, name text not null, mail varchar(80) unique, mood mood default 'ok', level app.level default 'low'::app.level, levels app.level[] default '{low}', twice int default app.twice(3));
create table app.product (id bigint primary key, name text not null, price numeric(10,2) default 1.5 check (price > 0), doubled numeric generated always as (price * 2) stored, check (price < 1000 or name like 'A%'));
create table orders (id int primary key, customer int references customer(id), product bigint references app.product, amount int, constraint amounts check (amount between 1 and 5000), constraint mixed check (not (amount > 3 and (id < 4 or id > 9)) and amount is not null));
create index part on customer (name desc, id) where mood = 'ok' and name is not null;
create index called on customer (app.twice(id), (lower(name)), (id + 1));
create index worth on app.product ((price * 2), name desc nulls last);
create view v_join as select c.name, p.name as product, o.amount * p.price as total from orders o join customer c on c.id = o.customer left join app.product p on p.id = o.product where o.amount > 2 order by c.name desc;
create view v_nested as select a.id from customer a left join (orders o join app.product p on o.product = p.id) on o.customer = a.id cross join lateral generate_series(1, a.id) g(n) where (a.id, o.id) = (1, 2) or a.name like 'x%';
create view v_same as select distinct on (mood) id, not (mood = 'ok' or id > 3 and name is null) as x, id is not distinct from 3 as y, -id as neg, (id + 1) * 2 - (3 - id) as z, id::text || 'x' as t, (id + 1)::text as u from customer where id = any (array[1, 2]) and name not in ('a', 'b') order by mood, id + 1;
create view v_sub as with x as (select id, name from customer) select x.*, (select count(*) from orders o where o.customer = x.id) as n from x where exists (select 1 from app.product p where p.id = x.id) or x.id in (1, 2, 3);
create view v_called as select add_up(id, 4) as a, app.twice(id) as b, case when mood = 'sad' then 1 else 0 end as sad, level = 'high' as high, array['low'::app.level] as levels from customer;
create view app.v_view as select j.* from v_join j where j.total > 10 union all select name, name, price from app.product;
insert into customer (name) values ('a'), ('b');
select conname, pg_get_constraintdef(oid), pg_get_constraintdef(oid, true) from pg_constraint where conrelid in ('customer'::regclass, 'app.product'::regclass, 'orders'::regclass) order by conname;
select indexrelid::regclass::text, pg_get_indexdef(indexrelid), pg_get_indexdef(indexrelid, 0, true), pg_get_indexdef(indexrelid, 1, true), pg_get_expr(indpred, indrelid, true) from pg_index where indrelid in ('customer'::regclass, 'app.product'::regclass) order by 1;
select adrelid::regclass::text, adnum, pg_get_expr(adbin, adrelid), pg_get_expr(adbin, adrelid, true) from pg_attrdef where adrelid in ('customer'::regclass, 'app.product'::regclass) order by 1, 2;
select relname, pg_get_viewdef(oid), pg_get_viewdef(oid, true), pg_get_viewdef(oid, 0) from pg_class where relname like 'v\_%' and relkind = 'v' and relnamespace <> 'pg_catalog'::regnamespace order by 1;
create view v_class as select 'orders'::regclass as r, 'orders'::regclass::oid > 0 as o;
select pg_get_viewdef('v_class'::regclass);
-- As pg_dump asks.
select set_config('search_path', '', false);
select relname, pg_get_viewdef(oid) from pg_class where relname like 'v\_%' and relkind = 'v' and relnamespace <> 'pg_catalog'::regnamespace order by 1;
select adrelid::regclass::text, adnum, pg_get_expr(adbin, adrelid) from pg_attrdef where adrelid in ('public.customer'::regclass, 'app.product'::regclass) order by 1, 2;
select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index where indrelid = 'public.customer'::regclass order by 1;
-- Views and defaults mean the same whatever the path.
select * from public.v_called order by a;
select * from app.v_view;
select * from public.v_class;
insert into public.customer (name) values ('c') returning *;
-- Other things of the same name that the path finds first change nothing.
create schema other;
create table other.customer (id int, name text);
create type other.mood as enum ('else');
set search_path = other, public, app;
select count(*) from v_same;
select pg_get_viewdef('v_nested'::regclass, true);
select pg_get_viewdef('v_called'::regclass, true);
