-- release: a claim that was not started, or an entry whose worker died, goes back to its place: into the line when its
-- visitor is present, else into held.
-- ARGV    1 worker; "": there is no claim any more
--         2 job id
--         3 score; "": that of the claim
--         4 grace in ms
-- Return  "line" or "held"
--         "": the claim is not this worker's any more, or there is a place or another claim already
local worker, id, score = ARGV[1], ARGV[2], ARGV[3]
if worker ~= '' then
  local claim = redis.call('HGET', claims, worker)
  if not claim or id_of(claim) ~= id then
    return ''
  end
  redis.call('HDEL', claims, worker)
  redis.call('ZREM', starts, claim)
  if score == '' then
    score = string.match(claim, '^[^:]+:([^:]+):')
  end
end
redis.call('ZREM', running, id)
if has_place(id, claimed_ids()) then
  return ''
end
if redis.call('EXISTS', PRESENCE .. id) == 1 then
  redis.call('ZADD', line, score, id)
  numbers_changed()
  wake_workers({ id })
  return 'line'
end
-- The page may have gone while the entry was out of the line: then its absence has begun at that moment.
local now = clock()
local since, kept, why = now, ARGV[4], 'lost'
local gone = redis.call('GET', GONE .. id)
local at, long, absent = string.match(gone or '', '^(%d+):(%d+):(%a+)$')
if at then
  since, kept, why = at, long, absent
end
hold_places({ id }, { score }, tonumber(since), tonumber(kept), why, now)
return 'held'
