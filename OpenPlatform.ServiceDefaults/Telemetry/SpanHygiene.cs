using System.Diagnostics;
using OpenTelemetry;

namespace OpenPlatform.ServiceDefaults.Telemetry;

/// <summary>Takes out of finished spans what must not leave the process, and drops those that are only noise.</summary>
internal sealed class SpanHygiene : BaseProcessor<Activity>
{
    public override void OnEnd(Activity data)
    {
        // YARP probes its destinations every few seconds; only its forwarding is of interest.
        if (data.Source.Name == "Yarp.ReverseProxy" && data.OperationName != "proxy.forwarder")
        {
            data.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
            return;
        }

        // Query strings carry keys and personal data. The runtime redacts them by default; a switch of the process must not undo it.
        if (data.GetTagItem("url.query") is not null)
        {
            data.SetTag("url.query", null);
        }

        if (data.GetTagItem("url.full") is string url && url.IndexOf('?') is >= 0 and var query)
        {
            data.SetTag("url.full", url[..query]);
        }
    }
}
