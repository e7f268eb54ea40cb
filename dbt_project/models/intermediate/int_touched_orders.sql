-- Which orders this build makes anew: those it learnt of, those a replaced event spoke of, those of an address that changed hands.
select order_id
from ({{ bodies_of_this_build(ref("int_order_events"), ["order_id"]) }})
union
select order_id
from {{ ref("int_order_events") }}
where address_id in (select address_id from {{ ref("int_moved_addresses") }})
