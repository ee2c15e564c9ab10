-- close: a web process lost its last page of this entry. A waiting entry is held, so no work starts from now on.
-- ARGV    1 job id
--         2 absence: closed | lost
--         3 grace in ms
--         4 ttl of the note on a running entry, in ms
-- Return  "held"
--         "gone": the entry is claimed or runs; the moment is kept in gone:<id>
--         "was absent": it is held or unseen already, and nothing changed
local id = ARGV[1]
redis.call('DEL', PRESENCE .. id)
if redis.call('ZSCORE', held, id) or redis.call('ZSCORE', unseen, id) then
  return 'was absent'
end
local now = clock()
local score = redis.call('ZSCORE', line, id)
if score then
  redis.call('ZREM', line, id)
  hold_places({ id }, { score }, now, ARGV[3], ARGV[2], now)
  return 'held'
end
local kept = math.max(ARGV[3], tonumber(redis.call('HGET', grace, id) or 0) or 0)
redis.call('SET', GONE .. id, string.format('%.0f:%.0f:%s', now, kept, ARGV[2]), 'PX', ARGV[4])
return 'gone'
