using System.Collections.Concurrent;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Logging;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>What everything that runs here shares.</summary>
internal sealed class OrchestrationContext(
    DistributedApplicationModel model,
    DistributedApplicationExecutionContext execution,
    ResourceNotificationService notifications,
    ResourceLoggerService loggers,
    IDistributedApplicationEventing eventing,
    IServiceProvider services,
    HostingOptions options,
    TimeProvider time,
    ILogger<OrchestrationContext> logger) : IDisposable
{
    private readonly CancellationTokenSource _abandon = new();
    private DcpClient? _dcp;

    public DistributedApplicationModel Model => model;
    public DistributedApplicationExecutionContext Execution => execution;
    public ResourceNotificationService Notifications => notifications;
    public ResourceLoggerService Loggers => loggers;
    public IDistributedApplicationEventing Eventing => eventing;
    public IServiceProvider Services => services;
    public HostingOptions Options => options;
    public TimeProvider Time => time;
    public ILogger Logger => logger;

    public DcpClient Dcp { get => _dcp ?? throw new InvalidOperationException("The orchestrator does not run yet."); set => _dcp = value; }

    /// <summary>DCP name → replica; the watches find their replica here.</summary>
    public ConcurrentDictionary<string, Replica> Replicas { get; } = new(StringComparer.Ordinal);

    /// <summary>Cancelled when nobody cares any more: DCP is going or gone.</summary>
    public CancellationToken Abandon => _abandon.Token;

    /// <summary>Dependents have gone before their dependencies then: no need to let traffic move elsewhere.</summary>
    public bool IsShuttingDown { get; set; }

    public Task AbandonAsync() => _abandon.CancelAsync();

    public void Dispose()
    {
        _abandon.Dispose();
        _dcp?.Dispose();
    }
}
