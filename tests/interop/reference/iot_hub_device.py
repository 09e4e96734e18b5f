import paho.mqtt.client as mqtt
import ssl
import time
import json

# --- 設定 ---
BROKER_ADDRESS = "localhost"  # 您的 MQTT Broker 地址
BROKER_PORT = 8883
DEVICE_ID = "iot-hub-001"

# --- 憑證路徑 (請替換成您自己的路徑) ---
# 這是實現 5.5-4 (身分驗證) 和 5.5-7 (保護關鍵參數機密性) 的關鍵
CA_CERT_PATH = "/path/to/your/certs/ca.crt"
CLIENT_CERT_PATH = "/path/to/your/certs/hub_client.crt"
CLIENT_KEY_PATH = "/path/to/your/certs/hub_client.key"

# --- 主題 (Topics) ---
TOPIC_DATA = f"devices/{DEVICE_ID}/data"
TOPIC_COMMAND = f"devices/{DEVICE_ID}/command"

def on_connect(client, userdata, flags, rc):
    if rc == 0:
        print("成功連線到 MQTT Broker!")
        client.subscribe(TOPIC_COMMAND)
        print(f"已訂閱主題: {TOPIC_COMMAND}")
    else:
        print(f"連線失敗，返回碼: {rc}")

def on_message(client, userdata, msg):
    print(f"收到來自主題 '{msg.topic}' 的指令: {msg.payload.decode()}")
    # 在這裡處理收到的指令，例如控制家裡的燈光

def setup_tls_context():
    """
    設定 TLS Context，這符合 5.5-1 (使用最佳實踐加密) 和 5.5-3 (加密敏捷性)
    """
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=CA_CERT_PATH)
    # 載入客戶端證書和私鑰進行身分驗證
    context.load_cert_chain(certfile=CLIENT_CERT_PATH, keyfile=CLIENT_KEY_PATH)
    # 允許更換加密演算法，例如限制 TLS 版本
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context

def main():
    client = mqtt.Client(client_id=DEVICE_ID)
    client.on_connect = on_connect
    client.on_message = on_message

    # 設定 TLS，所有通訊都將被加密
    tls_context = setup_tls_context()
    client.tls_set_context(tls_context)

    print("正在連線到 MQTT Broker...")
    client.connect(BROKER_ADDRESS, BROKER_PORT)

    client.loop_start()

    # 模擬每 10 秒發送一次溫度資料
    try:
        while True:
            temperature = 25.5 + (time.time() % 5) # 模擬溫度變化
            payload = json.dumps({"sensor": "temperature", "value": temperature})
            
            # 發布的資料也透過 TLS 加密，符合 5.5-6
            client.publish(TOPIC_DATA, payload)
            print(f"發布資料: {payload}")
            time.sleep(10)
    except KeyboardInterrupt:
        print("程式結束")
        client.loop_stop()
        client.disconnect()

if __name__ == "__main__":
    main()
