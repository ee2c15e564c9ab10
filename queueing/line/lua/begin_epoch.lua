-- begin_epoch: all waiting rows of the line have a place on this server, unless it was emptied since the keeper began to
-- give them back.
-- ARGV    1 the run id of the server
-- Return  1, or 0 when it was emptied
if redis.call('EXISTS', restoring) == 0 then
  return 0
end
redis.call('SET', epoch, ARGV[1])
redis.call('DEL', restoring)
return 1
