-- Who is in a segment is who has an open stay in it, and nobody has two.
select contact_id, segment from {{ ref("segment_members") }}
except
select contact_id, segment from {{ ref("segment_history") }}
where left_at is null

union all

(
    select contact_id, segment from {{ ref("segment_history") }}
    where left_at is null
    except
    select contact_id, segment from {{ ref("segment_members") }}
)

union all

select contact_id, segment from {{ ref("segment_history") }}
where left_at is null
group by contact_id, segment
having count(*) > 1
