"""TPC-C by the specification, revision 5.11: terminals without think time, and its consistency conditions afterwards."""

from . import client
from .rounds import Case

# Clause 3.3.2, conditions 1 to 10 and 12 (11 counts what only a fresh database has). Each statement counts violations.
CONDITIONS = {
    1: """select count(*) from (select w_id from warehouse, district where d_w_id = w_id group by w_id, w_ytd
          having w_ytd <> sum(d_ytd)) as wrong""",
    2: """select count(*) from district
          left join (select o_w_id, o_d_id, max(o_id) as newest from orders group by o_w_id, o_d_id) as o
              on o_w_id = d_w_id and o_d_id = d_id
          left join (select no_w_id, no_d_id, max(no_o_id) as newest from new_order group by no_w_id, no_d_id) as n
              on no_w_id = d_w_id and no_d_id = d_id
          where d_next_o_id - 1 <> o.newest or (n.newest is not null and d_next_o_id - 1 <> n.newest)""",
    3: """select count(*) from (select no_w_id, no_d_id from new_order group by no_w_id, no_d_id
          having max(no_o_id) - min(no_o_id) + 1 <> count(*)) as wrong""",
    4: """select count(*) from
          (select o_w_id, o_d_id, sum(o_ol_cnt) as wanted from orders group by o_w_id, o_d_id) as o,
          (select ol_w_id, ol_d_id, count(*) as found from order_line group by ol_w_id, ol_d_id) as l
          where ol_w_id = o_w_id and ol_d_id = o_d_id and wanted <> found""",
    5: """select count(*) from orders left join new_order on no_w_id = o_w_id and no_d_id = o_d_id and no_o_id = o_id
          where (o_carrier_id is null) <> (no_o_id is not null)""",
    6: """select count(*) from orders
          left join (select ol_w_id, ol_d_id, ol_o_id, count(*) as found from order_line group by ol_w_id, ol_d_id, ol_o_id)
              as l on ol_w_id = o_w_id and ol_d_id = o_d_id and ol_o_id = o_id
          where found is null or o_ol_cnt <> found""",
    7: """select count(*) from orders, order_line where ol_w_id = o_w_id and ol_d_id = o_d_id and ol_o_id = o_id
          and (ol_delivery_d is null) <> (o_carrier_id is null)""",
    8: """select count(*) from (select w_id from warehouse, history where h_w_id = w_id group by w_id, w_ytd
          having w_ytd <> sum(h_amount)) as wrong""",
    9: """select count(*) from (select d_w_id, d_id from district, history where h_w_id = d_w_id and h_d_id = d_id
          group by d_w_id, d_id, d_ytd having d_ytd <> sum(h_amount)) as wrong""",
    10: """select count(*) from customer
          left join (select o_w_id, o_d_id, o_c_id, sum(ol_amount) as bought from orders, order_line
                     where ol_w_id = o_w_id and ol_d_id = o_d_id and ol_o_id = o_id and ol_delivery_d is not null
                     group by o_w_id, o_d_id, o_c_id) as o on o_w_id = c_w_id and o_d_id = c_d_id and o_c_id = c_id
          left join (select h_c_w_id, h_c_d_id, h_c_id, sum(h_amount) as paid from history group by h_c_w_id, h_c_d_id, h_c_id)
              as h on h_c_w_id = c_w_id and h_c_d_id = c_d_id and h_c_id = c_id
          where c_balance <> coalesce(bought, 0) - coalesce(paid, 0)""",
    12: """select count(*) from customer
          left join (select o_w_id, o_d_id, o_c_id, sum(ol_amount) as bought from orders, order_line
                     where ol_w_id = o_w_id and ol_d_id = o_d_id and ol_o_id = o_id and ol_delivery_d is not null
                     group by o_w_id, o_d_id, o_c_id) as o on o_w_id = c_w_id and o_d_id = c_d_id and o_c_id = c_id
          where c_balance + c_ytd_payment <> coalesce(bought, 0)""",
}


def check(bench, server):
    for number, statement in CONDITIONS.items():
        wrong = server.sql(statement)
        bench.expect(f"TPC-C on {server.name}: consistency condition {number}" + ("" if wrong == "0" else f": {wrong} violations"),
                     wrong == "0")


def work(bench):
    options = bench.options
    sizes = {"scale": options.warehouses, "shrink": options.shrink}
    with bench.servers() as started:
        bench.each(started, lambda server: client.load(bench, server, "tpcc", **sizes))
        shrunk = f", sizes divided by {options.shrink}: no TPC-C" if options.shrink > 1 else ""
        for terminals in options.terminals:
            case = Case("tpcc", f"{options.warehouses} warehouse{'s'[:options.warehouses > 1]}, {terminals} terminals{shrunk}",
                        "/s", axes={"clients": terminals, "warehouses": options.warehouses})
            kept = bench.compare(case, started, lambda server, terminals=terminals: client.play(
                bench, server, "tpcc", clients=terminals, seconds=2 * options.seconds, seed=bench.seed, **sizes))
            show_kinds(kept, terminals)
        bench.each(started, lambda server: check(bench, server))


def show_kinds(kept, terminals):
    for name, rounds in kept.items():
        kinds = rounds[-1]["kinds"]
        orders = kinds["new_order"]["done"] / sum(kind["done"] for kind in kinds.values()) * rounds[-1]["value"] * 60
        print(f"    {name:12}New-Order {orders:,.0f}/min; p50/p99 ms: " + ", ".join(
            f"{kind} {figure['p50_us'] / 1e3:.1f}/{figure['p99_us'] / 1e3:.1f}" for kind, figure in kinds.items()))
