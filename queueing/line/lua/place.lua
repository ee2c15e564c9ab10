-- place: a row that waits gets its job and its place. An entry that has a place already keeps that one.
-- KEYS    after the line's keys:
--         1 zset token -> ms: the requests that are storing this entry
--         2 zset id -> ms: unseen places of the entry's address; missing for an entry without an address
-- ARGV    1 job id
--         2 score
--         3 "present": nobody has to be there, ever; "unseen": its page has not been looked at yet
--         4 ttl in ms after which an unseen entry is over
--         5 the queue's name in RQ's list of queues
--         6 ttl in ms of the unseen places of the address
--         7... the fields of the job's hash
-- Return  "line", "unseen", or "" (it had a place)
local id, score = ARGV[1], ARGV[2]
redis.call('SADD', 'rq:queues', ARGV[5])
redis.call('HSET', JOB .. id, unpack(ARGV, 7))
redis.call('ZREM', reserved, id)
redis.call('DEL', own(1))
if ARGV[3] == 'present' then
  redis.call('SET', PRESENCE .. id, '1')
end
if has_place(id, claimed_ids()) then
  return ''
end
if redis.call('EXISTS', PRESENCE .. id) == 0 then
  redis.call('ZADD', unseen, score, id)
  local over = clock() + ARGV[4]
  redis.call('ZADD', due, over, id)
  if own(2) then
    redis.call('ZADD', own(2), over, id)
    redis.call('PEXPIRE', own(2), ARGV[6])
  end
  return 'unseen'
end
redis.call('ZADD', line, score, id)
numbers_changed()
wake_workers({ id })
return 'line'
