namespace OpenPlatform.Hosting;

/// <summary>How this run differs from the default one.</summary>
internal sealed class HostingOptions
{
    /// <summary><c>DcpPublisher:RandomizePorts</c>: fixed ports are replaced by free ones, so that several applications run at once (tests).</summary>
    public bool RandomizePorts { get; set; }
    /// <summary>Off by <c>DistributedApplicationOptions.DisableDashboard</c> and in publish mode.</summary>
    public bool DashboardEnabled { get; set; } = true;
    /// <summary><c>OPENPLATFORM_DATA=temporary</c>: data ends with the run.</summary>
    public bool TemporaryData { get; set; }
    /// <summary>No progress lines on the console (tests).</summary>
    public bool Quiet { get; set; }
    /// <summary>Groups what belongs to one AppHost: hash of its project path, 16 hex digits.</summary>
    public string ApplicationId { get; set; } = "";
    /// <summary>Name shown by the dashboard.</summary>
    public string ApplicationName { get; set; } = "";

    /// <summary><c>--help</c>: the application tells what it can do, and does none of it.</summary>
    public bool Help { get; set; }
}
