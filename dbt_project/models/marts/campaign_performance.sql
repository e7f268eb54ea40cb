with

deliveries as (
    select * from {{ ref("campaign_deliveries") }}
),

orders as (
    select *
    from {{ ref("orders") }}
    where not is_void and currency = 'GBP' and contact_id is not null
),

-- each order counts for the last email its contact got in the days before it
attributed as (
    select
        deliveries.wave_id,
        orders.order_id,
        orders.goods_paid
    from orders
    inner join deliveries
        on orders.contact_id = deliveries.contact_id
        and orders.placed_at >= deliveries.sent_at
        and orders.placed_at < deliveries.sent_at + interval {{ var("attribution_days") }} day
    where deliveries.delivery in ('sent', 'unsubscribed', 'complained')
    qualify row_number() over (partition by orders.order_id order by deliveries.sent_at desc, deliveries.wave_id) = 1
),

revenue as (
    select
        wave_id,
        count(*) as order_count,
        sum(goods_paid) as revenue_gbp
    from attributed
    group by wave_id
),

redeemed as (
    select
        deliveries.wave_id,
        count(*) as redeemed_count,
        sum(orders.goods_paid) as redeemed_gbp
    from deliveries
    inner join {{ ref("orders") }} as orders on deliveries.redeemed_order_id = orders.order_id
    where not orders.is_void and orders.currency = 'GBP'
    group by deliveries.wave_id
),

waves as (
    select
        wave_id,
        campaign,
        max(sent_at) as sent_at,
        count(*) filter (where outcome = 'recipient') as recipient_count,
        count(*) filter (where outcome = 'holdout') as holdout_count,
        count(*) filter (where outcome = 'excluded') as newly_excluded_count,
        count(*) filter (where outcome = 'deferred') as newly_deferred_count,
        count(*) filter (where delivery in ('sent', 'unsubscribed', 'complained')) as delivered_count,
        count(*) filter (where delivery in ('hard_bounce', 'soft_bounce')) as bounced_count,
        count(*) filter (where delivery = 'unsubscribed') as unsubscribed_count,
        count(*) filter (where delivery = 'complained') as complained_count
    from deliveries
    group by wave_id, campaign
)

select
    waves.wave_id,
    waves.campaign,
    waves.sent_at,
    waves.recipient_count,
    waves.holdout_count,
    waves.newly_excluded_count,
    waves.newly_deferred_count,
    waves.delivered_count,
    waves.bounced_count,
    waves.unsubscribed_count,
    waves.complained_count,
    coalesce(revenue.order_count, 0) as order_count,
    coalesce(revenue.revenue_gbp, 0)::decimal(18, 2) as revenue_gbp,
    coalesce(redeemed.redeemed_count, 0) as redeemed_count,
    coalesce(redeemed.redeemed_gbp, 0)::decimal(18, 2) as redeemed_gbp
from waves
left join revenue on waves.wave_id = revenue.wave_id
left join redeemed on waves.wave_id = redeemed.wave_id
