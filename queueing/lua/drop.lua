-- drop: held entries whose deadline has passed leave the line for good; who turns out to be present goes back.
-- KEYS    the line's keys, see LineKeys; 12 the watch
-- ARGV    1 least age of the watch in ms; 2 at most so many (1,000)
-- Return  {"blind"}: no web process has been beating for long enough, nobody may be dropped;
--         else {id, cause, id, cause, ...} of the dropped
local line, held, due, cause, grace = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local version, wake, foreign = KEYS[7], KEYS[8], KEYS[10]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local since = redis.call('GET', KEYS[12])
if not since or now - tonumber(since) < tonumber(ARGV[1]) then
  return { 'blind' }
end
local ids = redis.call('ZRANGE', due, '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[2])
if #ids == 0 then
  return {}
end
local names = {}
for i, id in ipairs(ids) do
  names[i] = 'presence:' .. id
end
local present = redis.call('MGET', unpack(names))
local causes = redis.call('HMGET', cause, unpack(ids))
local scores = redis.call('ZMSCORE', held, unpack(ids))
local dropped, report = {}, {}
for i, id in ipairs(ids) do
  if not scores[i] then
    -- A deadline without a place: cleared below.
  elseif present[i] then
    redis.call('ZADD', line, scores[i], id)
    redis.call('RPUSH', wake, id)
  else
    dropped[#dropped + 1] = id
    report[#report + 1] = id
    report[#report + 1] = causes[i] or 'lost'
  end
end
redis.call('ZREM', held, unpack(ids))
redis.call('ZREMRANGEBYRANK', due, 0, #ids - 1)
redis.call('HDEL', cause, unpack(ids))
redis.call('LTRIM', wake, -64, -1)
if #dropped > 0 then
  redis.call('HDEL', grace, unpack(dropped))
  redis.call('SREM', foreign, unpack(dropped))
end
redis.call('INCR', version)
return report
