using OpenPlatform.Contracts;
using OpenPlatform.ServiceDefaults.Redis;

namespace OpenPlatform.Catalog.Snapshots;

/// <summary>Tells gateways over Redis that there is a new revision. Only a hint: without Redis they find it with their next poll.</summary>
internal sealed partial class RevisionAnnouncer(IRedis redis, ILogger<RevisionAnnouncer> logger)
{
    /// <summary>Never fails, and ends by the client's deadline per command.</summary>
    public async Task AnnounceAsync(long revision)
    {
        try
        {
            await redis.ExecuteAsync(["PUBLISH", InternalApi.RevisionChannel, revision]);
        }
        catch (Exception exception) when (exception is RedisUnavailableException or RedisServerException)
        {
            LogNotAnnounced(revision, exception.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Revision {Revision} is committed but not announced, gateways poll for it: {Reason}")]
    private partial void LogNotAnnounced(long revision, string reason);
}
