using System.Diagnostics;
using OpenPlatform.Gateway.Overload;

namespace OpenPlatform.Bench.Simulate;

/// <summary>
/// Gateways in front of one backend under a load, in steps of a tenth of a second. CPU is shared by the requests at hand (M/M/1, processor sharing, on each replica; requests spread
/// evenly); what the backend waits for besides keeps nobody waiting. The overload gate is the gateway's own limit (<see cref="GradientLimit"/>), which sees the latencies of the
/// model, and lets plans in by its rule: those below never count. Where the gateways' own CPU is used up nobody asks for the plan any more: of what they cannot
/// read, every plan loses its share.
/// </summary>
internal sealed class Simulation(LoadCurve load, ScalingSettings gatewaySettings, ScalingSettings backendSettings, Inputs inputs)
{
    private const int StepsASecond = 10;

    /// <summary>Default of kube-controller-manager, and how often Azure counts requests.</summary>
    private const int SyncSeconds = 15;

    /// <summary>Metrics are means of a period that ended so long before they are looked at.</summary>
    private const int MetricsAgeSeconds = 7;

    /// <summary>Fluid equations have no limit where all of the CPU is in use.</summary>
    private const double Full = 0.99;

    public SceneResult Run()
    {
        var random = new Random(inputs.Seed);
        var moments = new List<Moment>();
        var plans = load.SharesAt(0).Count;
        var (offeredByPlan, shedByPlan) = (new double[plans], new double[plans]);
        var steadily = load.RateAt(0);
        var gateways = new Fleet(new(inputs.StartSeconds, inputs.DrainSeconds, gatewaySettings.ReplacesLost), StartWith(gatewaySettings, steadily * inputs.GatewayCpuMicroseconds / 1e6, steadily));
        var backends = new Fleet(new(inputs.StartSeconds, inputs.DrainSeconds, backendSettings.ReplacesLost), StartWith(backendSettings, steadily * inputs.BackendCpuMicroseconds / 1e6, steadily));
        var (gatewayScaler, backendScaler) = (new Autoscaler(gatewaySettings), new Autoscaler(backendSettings));
        var limit = new GradientLimit(new OverloadOptions());
        var history = new Queue<Measures>();
        var drift = 0d;

        for (var second = 0; second < load.Seconds; second++)
        {
            if (second == (int?)load.ZoneLostAt)
            {
                gateways.LoseZone(second);
                backends.LoseZone(second);
            }

            if (second == (int?)load.ZoneBackAt)
            {
                gateways.ZoneIsBack(second);
                backends.ZoneIsBack(second);
            }

            gateways.Step(second);
            backends.Step(second);
            var sum = new Sums();
            // The rate wanders by a few percent, as the sum of many callers does, and its requests come one by one.
            drift = (0.97 * drift) + (0.01 * Normal(random));
            var (gatewayCount, backendCount) = (gateways.Serving(second), backends.Serving(second));
            var shares = load.SharesAt(second);
            for (var step = 0; step < StepsASecond; step++)
            {
                var mean = load.RateAt(second + (step / (double)StepsASecond)) * (1 + drift);
                var rate = Math.Max(0, mean + (Math.Sqrt(mean * StepsASecond) * Normal(random)));
                var outcome = Step(rate, shares, gatewayCount, backendCount, limit.Current);
                Teach(limit, outcome, gatewayCount, second + (step / (double)StepsASecond));
                sum.Add(rate, outcome);
                for (var plan = 0; plan < plans; plan++)
                {
                    offeredByPlan[plan] += rate * shares[plan] / StepsASecond;
                    shedByPlan[plan] += outcome.Shed[plan] / StepsASecond;
                }
            }

            var measured = sum.Measures(StepsASecond);
            history.Enqueue(measured);
            if (history.Count > SyncSeconds + MetricsAgeSeconds)
            {
                history.Dequeue();
            }

            if (second % SyncSeconds == SyncSeconds - 1 && history.Count > MetricsAgeSeconds)
            {
                var seen = history.Take(history.Count - MetricsAgeSeconds).ToArray();
                var rate = seen.Average(static m => m.Offered);
                gateways.Scale(second, gatewayScaler.Next(second, gateways.Wanted, gateways.Read(second, seen.Average(static m => m.GatewayCpu), seen.Average(static m => m.InFlight)), rate));
                backends.Scale(second, backendScaler.Next(second, backends.Wanted, backends.Read(second, seen.Average(static m => m.BackendCpu), 0), rate));
            }

            moments.Add(new(second, measured.Offered, measured.Served, measured.Shed, measured.TopShed, measured.Latency, gateways.Wanted, backends.Wanted, gatewayCount, backendCount, gateways.Paid(second), backends.Paid(second)));
        }

        return new(moments, offeredByPlan, shedByPlan, gatewaySettings, backendSettings);
    }

    /// <summary>As many as a load that was always like this keeps.</summary>
    private static int StartWith(ScalingSettings settings, double cores, double rate) => Math.Clamp((int)Math.Ceiling(Math.Max(
        settings.CpuPercent is { } percent ? cores / settings.Cores / percent * 100 : 0, settings.RequestsPerSecond is { } perReplica ? rate / perReplica : 0)), settings.Min, settings.Max);

    private Outcome Step(double rate, IReadOnlyList<double> shares, int gatewayCount, int backendCount, int limit)
    {
        if (gatewayCount == 0)
        {
            return new([.. shares.Select(s => s * rate)], 0, 0, 0, 0, 0, 0);
        }

        var gatewaySecond = inputs.GatewayCpuMicroseconds / 1e6;
        var cores = gatewayCount * gatewaySettings.Cores * Full;
        var read = 1d;
        var admitted = Admitted(rate);
        // What is shed costs less, and so does what is not read at all.
        if (Cost(rate) > cores)
        {
            var (low, high) = (0d, 1d);
            for (var i = 0; i < 40; i++)
            {
                read = (low + high) / 2;
                admitted = Admitted(rate * read);
                (low, high) = Cost(rate * read) > cores ? (low, read) : (read, high);
            }
        }

        var used = Math.Min(Full, Cost(rate * read) / (gatewayCount * gatewaySettings.Cores));
        var left = admitted.Served;
        var shed = new double[shares.Count];
        for (var plan = 0; plan < shares.Count; plan++)
        {
            var (asked, known) = (rate * shares[plan], rate * read * shares[plan]);
            var served = Math.Min(known, left);
            left -= served;
            shed[plan] = asked - served <= asked * 1e-9 ? 0 : asked - served;
        }

        var inGateway = gatewaySecond / gatewaySettings.Cores / (1 - used);
        return new(shed, admitted.Served, admitted.Latency, admitted.Latency + inGateway, used * gatewaySettings.Cores,
            backendCount == 0 ? 0 : admitted.Served * inputs.BackendCpuMicroseconds / 1e6 / backendCount, admitted.Served * (admitted.Latency + inGateway) / gatewayCount);

        double Cost(double asked) => (admitted.Served * gatewaySecond) + (Math.Max(0, asked - admitted.Served) * gatewaySecond * inputs.ShedCost);

        (double Served, double Latency) Admitted(double asked) => Backend(asked, backendCount, (double)limit * gatewayCount);
    }

    /// <summary>The most of what is asked that keeps no more in flight than the gates let, and how long it takes.</summary>
    private (double Served, double Latency) Backend(double asked, int count, double mostInFlight)
    {
        var alone = inputs.BackendCpuMicroseconds / 1e6 / backendSettings.Cores;
        var capacity = count / alone;
        double Latency(double served) => (inputs.BackendWaitMilliseconds / 1000) + (alone / (1 - (served / capacity)));
        if (capacity <= 0)
        {
            return (0, 0);
        }

        if (asked < capacity * Full && asked * Latency(asked) <= mostInFlight)
        {
            return (asked, Latency(asked));
        }

        var (low, high) = (0d, Math.Min(asked, capacity));
        for (var i = 0; i < 40; i++)
        {
            var middle = (low + high) / 2;
            (low, high) = middle * Latency(middle) > mostInFlight ? (low, middle) : (middle, high);
        }

        // Whoever is let in fills the limit: the rest of the time is spent in the queue.
        return (low, low > 0 ? mostInFlight / low : 0);
    }

    private static void Teach(GradientLimit limit, Outcome outcome, int gateways, double now)
    {
        if (gateways == 0 || outcome.Served <= 0)
        {
            return;
        }

        var inFlight = (int)Math.Ceiling(outcome.Served * outcome.BackendLatency / gateways);
        var answers = Math.Clamp((int)(outcome.Served / gateways / StepsASecond), 1, 10); // it wants ten of a window
        for (var i = 0; i < answers; i++)
        {
            limit.Sample((long)(outcome.BackendLatency * Stopwatch.Frequency), inFlight, (long)((now + 1) * Stopwatch.Frequency));
        }
    }

    private static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    /// <param name="Shed">Requests a second of each plan.</param>
    /// <param name="BackendLatency">As a gateway sees it, in seconds.</param>
    /// <param name="GatewayCpu">Cores of each.</param>
    /// <param name="InFlight">Of each gateway.</param>
    private sealed record Outcome(double[] Shed, double Served, double BackendLatency, double Latency, double GatewayCpu, double BackendCpu, double InFlight);

    private sealed record Measures(double Offered, double Served, double Shed, double TopShed, double Latency, double GatewayCpu, double BackendCpu, double InFlight);

    private sealed class Sums
    {
        private double _offered, _served, _shed, _topShed, _waited, _gatewayCpu, _backendCpu, _inFlight;

        public void Add(double offered, Outcome outcome)
        {
            _offered += offered;
            _served += outcome.Served;
            _shed += outcome.Shed.Sum();
            _topShed += outcome.Shed[0];
            _waited += outcome.Served * outcome.Latency;
            _gatewayCpu += outcome.GatewayCpu;
            _backendCpu += outcome.BackendCpu;
            _inFlight += outcome.InFlight;
        }

        public Measures Measures(int steps) => new(_offered / steps, _served / steps, _shed / steps, _topShed / steps, _served > 0 ? _waited / _served * 1000 : 0, _gatewayCpu / steps, _backendCpu / steps, _inFlight / steps);
    }
}
