-- drop: held and unseen entries whose deadline has passed leave for good. Those that turn out to be present go back.
-- KEYS    the watch, after the line's keys
-- ARGV    1 least age of the watch in ms
--         2 at most so many entries (1,000)
--         3 the life of the watch after a beat, in ms; 0: it does not matter when the last beat was
-- Return  {"blind"}: no web process has been watching for long enough, or this server has taken over with an old copy
--         of the absences; so nobody may be dropped
--         {id, absence, id, absence, ...}: the dropped
local now = clock()
local since = tonumber(redis.call('GET', own(1)) or nil)
if not since or now - since < tonumber(ARGV[1]) then
  return { 'blind' }
end
-- A deadline that has passed since the last beat does not count yet: the web processes may have died before it, and
-- then nobody could come back.
local left = redis.call('PTTL', own(1))
local beaten = left < 0 and now or math.min(now, now + left - ARGV[3])
local ids = redis.call('ZRANGE', due, '-inf', ARGV[3] == '0' and now or beaten, 'BYSCORE', 'LIMIT', 0, ARGV[2])
if #ids == 0 then
  return {}
end
if not is_of_this_server(redis.call('GET', epoch)) then
  return { 'blind' }
end
local present = redis.call('MGET', unpack(presence_names(ids)))
local absences = redis.call('HMGET', absence, unpack(ids))
local scores = redis.call('ZMSCORE', held, unpack(ids))
local unseen_scores = redis.call('ZMSCORE', unseen, unpack(ids))
local dropped, report, back = {}, {}, {}
for i, id in ipairs(ids) do
  local score = scores[i] or unseen_scores[i]
  if not score then
    -- A deadline without a place: removed below.
  elseif present[i] then
    redis.call('ZADD', line, score, id)
    back[#back + 1] = id
  else
    dropped[#dropped + 1] = id
    report[#report + 1] = id
    report[#report + 1] = unseen_scores[i] and 'unseen' or absences[i] or 'lost'
  end
end
redis.call('ZREM', held, unpack(ids))
redis.call('ZREM', unseen, unpack(ids))
redis.call('ZREMRANGEBYRANK', due, 0, #ids - 1)
redis.call('HDEL', absence, unpack(ids))
if #dropped > 0 then
  redis.call('HDEL', grace, unpack(dropped))
  redis.call('SREM', foreign, unpack(dropped))
end
if #back > 0 then
  wake_workers(back)
end
numbers_changed()
return report
