-- hold: step through one window of the line. Entries whose presence ran out are held from now on.
-- ARGV    1 first rank of the window
--         2 window: how many ids to look at (at most 1,000)
--         3 grace in ms
--         4 the longest life of a presence in ms; one that would live for longer is a relic, and goes. 0: do not look
-- Return  {seen, held}: the next window begins at rank + seen - held; seen 0 is the end of the line
local ids = redis.call('ZRANGE', line, ARGV[1], ARGV[1] + ARGV[2] - 1)
if #ids == 0 then
  return { 0, 0 }
end
local present, absent = redis.call('MGET', unpack(presence_names(ids))), {}
local longest = tonumber(ARGV[4])
for i, id in ipairs(ids) do
  if present[i] and longest > 0 and redis.call('PTTL', PRESENCE .. id) > longest then
    redis.call('DEL', PRESENCE .. id)
    present[i] = false
  end
  if not present[i] then
    absent[#absent + 1] = id
  end
end
if #absent > 0 then
  local scores, now = redis.call('ZMSCORE', line, unpack(absent)), clock()
  redis.call('ZREM', line, unpack(absent))
  hold_places(absent, scores, now, ARGV[3], 'lost', now)
end
return { #ids, #absent }
