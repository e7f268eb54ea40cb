-- Two contacts with one address would get two emails.
select email
from {{ ref("contacts") }}
where email is not null
group by email
having count(*) > 1
